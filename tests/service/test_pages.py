"""The pages without a browser: who sees what, forms, and what a form of another site can't do."""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from starlette.testclient import TestClient

from glean.languages.language import LANGUAGES, LanguageCode, language
from glean.operations.reports.run_digest import RunDigest
from glean.runs.events import WaitingForBakeries
from glean.runs.folder import RunFolder
from glean.runs.phase_events import Phase
from glean.service.accounts.scopes import Scope
from glean.service.accounts.sessions import COOKIE
from glean.service.runs.queue import find_row
from glean.service.services import Services
from tests import processes
from tests.demand_words import demand_words
from tests.service.conftest import token

PAGES = (
    "/",
    "/runs",
    "/runs/new",
    "/compare",
    "/models",
    "/data",
    "/bakeries",
    "/rehearsal",
    "/accounts",
    "/docs",
)


@pytest.fixture(autouse=True)
def _made_here(services: Services) -> Iterator[None]:
    """Without the worker process, which takes seconds to start."""
    with mock.patch.object(
        type(services.workers), "run", lambda _, function, *given: function(*given)
    ):
        yield


def sign_in(client: TestClient, services: Services, scope: Scope = Scope.ADMIN) -> None:
    text = token(services, scope)["Authorization"].removeprefix("Bearer ")
    client.post("/login", data={"token": text})


def csrf_of(client: TestClient) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/runs").text)
    assert found is not None
    return found[1]


def send(client: TestClient, path: str, **fields: str) -> Any:
    return client.post(path, data={"csrf": csrf_of(client)} | fields)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_for_who_signed_in(client: TestClient, services: Services, path: str) -> None:
    """All others are led to the form to sign in, and from there to the page."""
    answer = client.get(path, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/login?next={path}")
    text = token(services, Scope.RUN)["Authorization"].removeprefix("Bearer ")
    there = client.post("/login", data={"token": text, "next": path})
    assert (there.status_code, there.url.path) == (200, path)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads_nothing_from_elsewhere(
    client: TestClient, services: Services, path: str
) -> None:
    """No script stands in it, and all that it names is on this machine."""
    sign_in(client, services)
    answer = client.get(path)
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "default-src 'self'" in policy
    assert "<script>" not in answer.text
    assert not re.findall(r'(?:src|href|action)="(?:https?:)?//', answer.text)
    assert not re.findall(r'\son[a-z]+="', answer.text)


def test_what_pages_load_is_kept_for_good(client: TestClient, services: Services) -> None:
    """Under a name that changes with its content, compressed."""
    sign_in(client, services)
    names = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', client.get("/compare").text))
    assert {name.rpartition("/")[2] for name in names} >= {"glean.css", "plotly.js", "charts.js"}
    for name in names:
        answer = client.get(name, headers={"Accept-Encoding": "gzip"})
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-encoding"] == "gzip"
    assert client.get("/static/x/..%2fapp.py").status_code == 404
    assert client.get("/static/x/none.js").status_code == 404


def test_a_first_page_is_small(client: TestClient, services: Services) -> None:
    """Under 300 KB with all that it loads, but for the library of charts."""
    sign_in(client, services)
    page = client.get("/runs/new")
    names = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text))
    loaded = [client.get(name).content for name in names if "plotly" not in name]
    assert len(page.content) + sum(map(len, loaded)) < 300_000


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", "", "/\x0d"],
)
def test_signing_in_leads_to_no_other_site(
    client: TestClient, services: Services, path: str
) -> None:
    """But to the overview."""
    text = token(services, Scope.READ)["Authorization"].removeprefix("Bearer ")
    fields = {"token": text, "next": path}
    answer = client.post("/login", data=fields, follow_redirects=False)
    assert answer.headers["location"] == "/"


def test_the_cookie_is_for_no_script_and_no_other_site(
    client: TestClient, services: Services
) -> None:
    """And ends with signing out, as the session does."""
    text = token(services, Scope.READ)["Authorization"].removeprefix("Bearer ")
    answer = client.post("/login", data={"token": text}, follow_redirects=False)
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    before = client.cookies[COOKIE]
    send(client, "/logout")
    assert services.sessions.find(before) is None
    assert client.get("/").url.path == "/login"


def test_a_wrong_token_is_told_on_the_page(client: TestClient) -> None:
    """And no session is opened."""
    answer = client.post("/login", data={"token": "glean_a_b"})
    assert answer.status_code == 401
    assert "isn't known" in unescape(answer.text)
    assert COOKIE not in client.cookies


FORMS = (
    "/logout",
    "/runs/new",
    "/runs/none/stop",
    "/runs/none/resume",
    "/runs/none/delete",
    "/models/roll-back",
    "/models/none/promote",
    "/data",
    "/data/none/delete",
    "/accounts",
    "/accounts/none/revoke",
)


@pytest.mark.parametrize("path", FORMS)
def test_a_form_of_another_site_does_nothing(
    client: TestClient, services: Services, path: str
) -> None:
    """It can't know the session's word; nor is an empty one taken."""
    sign_in(client, services)
    for fields in ({}, {"csrf": ""}, {"csrf": "x" * 32}, {"csrf": "\u00e9"}):
        answer = client.post(path, data=fields)
        assert answer.status_code == 403
        assert "load it again" in answer.text


def test_a_session_s_requests_to_the_api_repeat_its_word(
    client: TestClient, services: Services
) -> None:
    """In a header; those that change nothing needn't."""
    sign_in(client, services)
    assert client.get("/api/v1/runs").status_code == 200
    assert client.post("/api/v1/tokens", json={"name": "Ben"}).status_code == 403
    word = {"X-CSRF-Token": csrf_of(client)}
    assert client.post("/api/v1/tokens", json={"name": "Ben"}, headers=word).status_code == 201


@pytest.mark.parametrize(
    ("scope", "path"),
    [
        (Scope.READ, "/runs/new"),
        (Scope.READ, "/data"),
        (Scope.READ, "/models/roll-back"),
        (Scope.RUN, "/accounts"),
        (Scope.RUN, "/runs/none/delete"),
        (Scope.RUN, "/data/none/delete"),
    ],
)
def test_a_form_asks_for_its_scope(
    client: TestClient, services: Services, scope: Scope, path: str
) -> None:
    """As the API does; the page says what the token may do."""
    sign_in(client, services, scope)
    answer = send(client, path)
    assert answer.status_code == 403
    assert scope.meaning in answer.text


def test_a_reader_is_offered_nothing_to_change(client: TestClient, services: Services) -> None:
    """The only forms are those to sign out and for the language."""
    sign_in(client, services, Scope.READ)
    (run,) = services.models.all()
    for path in ("/", "/runs", f"/runs/{run.run.id}", "/models", "/data", "/accounts"):
        actions = set(re.findall(r'<form method="post" action="([^"]+)"', client.get(path).text))
        assert actions == {"/logout", "/language"}, path


def test_a_run_is_started_from_the_form(client: TestClient, services: Services) -> None:
    """Only what differs from the defaults is kept as its settings."""
    sign_in(client, services)
    fields = {"engine": "inprocess", "bakeries": "3", "s-num-server-rounds": "2", "s-seed": "42"}
    answer = send(client, "/runs/new", **fields)
    row = services.queue.find(answer.url.path.rpartition("/")[2])
    assert (row.status, row.settings, row.engine) == (
        "queued",
        {"num-server-rounds": 2},
        "inprocess",
    )
    assert row.id in client.get("/").text
    again = client.get(f"/runs/new?like={row.id}").text
    assert re.search(r'name="s-num-server-rounds" value="2"', again)
    send(client, f"/runs/{row.id}/stop")
    assert services.queue.find(row.id).status == "cancelled"
    send(client, f"/runs/{row.id}/delete")
    assert client.get(f"/runs/{row.id}").status_code == 404


def test_a_run_again_is_set_as_that_run_was(client: TestClient, services: Services) -> None:
    """With as many bakeries; which of its files can't be had here is said."""
    sign_in(client, services)
    asked = send(
        client, "/runs/new", **{"engine": "inprocess", "bakeries": "7", "s-max-depth": "3"}
    )
    run = asked.headers.get("location", str(asked.url)).rpartition("/")[2]
    form = client.get("/runs/new", params={"like": run}).text
    assert re.search(r'name="bakeries"[^>]* value="7"', form)
    assert re.search(r'name="s-max-depth" value="3"', form)
    assert "can't be chosen here" not in unescape(form)
    with services.database.transaction() as session:
        row = find_row(session, run)
        row.settings = {**row.settings, "sales": "/there/sales.csv"}
    form = unescape(client.get("/runs/new", params={"like": run}).text)
    assert "can't be chosen here; a new one does without: sales<" in form


def test_a_form_with_mistakes_comes_back_with_all_of_them(
    client: TestClient, services: Services
) -> None:
    """And with what was typed."""
    sign_in(client, services)
    fields = {"engine": "inprocess", "s-num-server-rounds": "none", "s-max-depth": "300"}
    answer = send(client, "/runs/new", **fields)
    said = unescape(answer.text)
    assert answer.status_code == 422
    assert "num-server-rounds: found 'none'; wanted a whole number" in said
    assert "max-depth: found 300" in said
    assert 'value="none"' in said
    both = {"engine": "inprocess", "s-aggregation": "fedavg", "s-privacy": "noise"}
    assert send(client, "/runs/new", **both).status_code == 422
    assert send(client, "/runs/new", engine="x").status_code == 422
    assert client.get("/api/v1/runs?status=queued").json()["runs"] == []


def test_a_run_s_page_tells_what_it_brings(client: TestClient, services: Services) -> None:
    """What is thrown away first; bakeries, rounds, files; its report without scripts."""
    sign_in(client, services)
    (run,) = services.models.all()
    said = unescape(client.get(f"/runs/{run.run.id}").text)
    for text in ("completed", "bakery 1", "2 / 2", "model.ubj", "round 2 is finished"):
        assert text in said, text
    (run.path.parent / "report.html").write_text("<script>alert(1)</script>")
    report = client.get(f"/runs/{run.run.id}/report")
    assert "script-src" not in report.headers["content-security-policy"]
    assert "default-src 'none'" in report.headers["content-security-policy"]
    live = client.get(f"/runs/{run.run.id}/live")
    assert live.headers["x-run-ended"] == "yes"
    assert "<html" not in live.text


def test_names_are_shown_and_not_obeyed(
    client: TestClient, services: Services, results: Path
) -> None:
    """A bakery may call itself what it likes."""
    sign_in(client, services)
    path = next(results.glob("2*")) / "events.jsonl"
    path.write_text(path.read_text().replace("bakery 1", "<script>alert(1)</script>"))
    services.discovery.refresh()
    (run,) = services.models.all()
    for page in (f"/runs/{run.run.id}", "/bakeries"):
        text = client.get(page).text
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert" in text


def test_two_runs_are_compared(
    client: TestClient, services: Services, results: Path, run_of_command_line: Path
) -> None:
    """Settings that differ, and each bakery in both."""
    sign_in(client, services)
    assert "nothing to compare" in client.get("/compare").text
    other = results / "20260101T000000Z-77"
    shutil.copytree(run_of_command_line, other)
    facts = json.loads((other / "run.json").read_text())
    facts["settings"]["max-depth"] = 11
    (other / "run.json").write_text(json.dumps(facts))
    services.discovery.refresh()
    said = client.get("/compare").text
    assert re.search(r'<th scope="row">max-depth</th><td>\d+</td><td>\d+</td>', said)
    assert client.get("/compare?one=none&other=77").status_code == 404


def test_a_table_is_uploaded_or_refused_with_its_problems(
    client: TestClient, services: Services, three_bakeries: str
) -> None:
    """On the page, each by line."""
    sign_in(client, services)
    fields = {"csrf": csrf_of(client)}
    bad = {"table": ("sales.csv", b"date,units\n2024-01-01,x\n")}
    answer = client.post("/data", data=fields, files=bad)
    assert answer.status_code == 422
    assert "sales.csv, line 2, column 'units'" in unescape(answer.text)
    good = {"table": ("three.csv", Path(three_bakeries).read_bytes())}
    shown = client.post("/data", data=fields, files=good)
    assert "three.csv can be used" in shown.text
    (dataset,) = services.datasets.all()
    assert dataset.id in client.get("/runs/new").text
    assert send(client, "/data").status_code == 422
    send(client, f"/data/{dataset.id}/delete")
    assert services.datasets.all() == []


def test_a_model_is_put_into_production_and_taken_back(
    client: TestClient, services: Services
) -> None:
    """By its button."""
    sign_in(client, services)
    (version,) = services.models.all()
    shown = send(client, f"/models/{version.run.id}/promote")
    assert "in production" in shown.text
    assert services.models.current() == version.run.id
    assert send(client, "/models/roll-back").status_code == 409


def test_a_token_is_made_and_ended_on_the_page(client: TestClient, services: Services) -> None:
    """Its text is shown this once."""
    sign_in(client, services)
    made = send(client, "/accounts", name="Ben", scope="read", days="30")
    text = re.search(r"<code>(glean_[^<…]+)</code>", made.text)
    assert text is not None
    principal = services.tokens.prove(text[1])
    assert principal is not None
    assert text[1] not in client.get("/accounts").text
    send(client, f"/accounts/{principal.token_id}/revoke")
    assert services.tokens.prove(text[1]) is None
    assert send(client, "/accounts", name="", scope="all").status_code == 422


def test_the_overview_says_what_needs_a_hand(
    client: TestClient, services: Services, results: Path
) -> None:
    """A run that failed, a database that can't be written."""
    sign_in(client, services)
    assert "all is well" in client.get("/").text
    path = next(results.glob("2*")) / "run.json"
    text = (
        path.read_text()
        .replace('"completed"', '"failed"')
        .replace('"reason": ""', '"reason": "why"')
    )
    path.write_text(text)
    services.discovery.refresh()
    assert "failed: why" in client.get("/overview/live").text
    shutil.copytree(path.parent, results / "20990101T000000Z-8001")
    later = results / "20990101T000000Z-8001" / "run.json"
    later.write_text(text.replace('"reason": "why"', '"reason": "interrupted"'))
    services.discovery.refresh()
    live = client.get("/overview/live").text
    assert "failed: why" in live, "also once another run has ended"
    assert "failed: interrupted" not in live, "somebody stopped it"
    assert ">stopped<" in client.get("/runs/8001").text


def test_the_overview_says_which_part_is_broken(client: TestClient, services: Services) -> None:
    """By the part's name; one that is well is not mentioned."""
    services.health.add("broker", lambda: "connection refused")
    services.health.add("storage", lambda: "")
    sign_in(client, services)
    page = client.get("/").text
    assert "<li>Message broker: connection refused</li>" in page
    assert "Storage" not in page


def test_a_score_is_a_share_only_where_it_is_one(
    client: TestClient, services: Services, results: Path
) -> None:
    """Log loss is no percentage of anything."""
    sign_in(client, services)
    run = next(results.glob("2*")).name.partition("-")[2]
    with services.database.transaction() as session:
        find_row(session, run).score = 0.1582
    for workload, said in (("demand", "15.8%"), ("iris", "0.158")):
        with services.database.transaction() as session:
            find_row(session, run).workload = workload
        for path in ("/", "/runs", "/models", f"/runs/{run}/live"):
            assert f">{said}<" in client.get(path).text


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_run_s_page_calls_clients_what_its_workload_does(
    client: TestClient, services: Services, results: Path, code: LanguageCode
) -> None:
    """What changes while it goes on: who takes part, and the events' sentences."""
    sign_in(client, services)
    folder = next(results.glob("2*"))
    run = folder.name.partition("-")[2]
    RunFolder(folder).append_event(WaitingForBakeries(1, 1, 2, {}))
    RunFolder(folder).begin_phase(Phase.FINAL_TEST)
    found = {}
    for workload in ("demand", "iris"):
        with services.database.transaction() as session:
            find_row(session, run).workload = workload
        page = client.get(f"/runs/{run}/live", headers={"Accept-Language": code}).text
        said = re.sub(r"<[^>]*>", " ", page.partition("<section>")[2])
        own_names = r"bakery \d|\bwape\b"  # of this run's clients and metrics
        found[workload] = demand_words(re.sub(own_names, "", said), code)
        assert ("<h2>Clients</h2>" in page) == (workload == "iris")
    assert found["demand"]
    assert not found["iris"]


@pytest.mark.parametrize("code", LANGUAGES)
def test_pages_over_several_runs_speak_of_clients_where_some_are_no_bakeries(
    client: TestClient, services: Services, results: Path, code: LanguageCode
) -> None:
    """Lists of runs and models, who took part, and the way there; of bakeries alone bakeries."""
    sign_in(client, services)
    run = next(results.glob("2*")).name.partition("-")[2]
    for workload, wanted in (("demand", "Bakeries"), ("images", "Clients")):
        with services.database.transaction() as session:
            find_row(session, run).workload = workload
        said = language(code).gettext(wanted)
        for path in ("/runs", "/models", "/bakeries"):
            page = client.get(path, headers={"Accept-Language": code}).text
            named = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))
            named = re.sub(r"bakery \d|\bwape\b", "", named)
            assert len(re.findall(rf"\b{said}\b", named)) >= 2, path
            found = demand_words(named, code)
            assert bool(found) == (workload == "demand"), (path, found)


def test_a_run_without_rounds_has_no_empty_charts(
    client: TestClient, services: Services, results: Path
) -> None:
    """They come with the first round."""
    sign_in(client, services)
    folder = next(results.glob("2*"))
    path = f"/runs/{folder.name.partition('-')[2]}"
    assert 'class="no-rounds"' not in client.get(path).text
    (folder / "rounds.csv").unlink()
    page = client.get(path).text
    assert 'class="no-rounds">None.<' in page
    assert page.count('class="chart') == page.count(" hidden data-rounds=") == 3


def test_one_of_many_bakeries_is_found_by_its_name(client: TestClient, services: Services) -> None:
    """By a part of it, in any case of letters."""
    sign_in(client, services)
    assert 'name="name"' not in client.get("/bakeries").text, "three are seen at a glance"
    page = client.get("/bakeries", params={"name": " BAKERY 1"}).text
    assert "bakery 1" in page
    assert "bakery 2" not in page
    assert "3 done" in page


def test_a_page_that_can_not_be_made_is_a_page_all_the_same(
    client: TestClient, services: Services
) -> None:
    """With what is wrong, not a traceback."""
    sign_in(client, services)
    answer = client.get("/runs/none")
    assert answer.status_code == 404
    assert "<h1>" in answer.text
    assert "found no run" in unescape(answer.text)


def test_the_overview_does_not_wait_for_what_a_run_brings(
    client: TestClient, services: Services
) -> None:
    """Reading that takes a process of its own; the page has it with one of its next looks."""
    text = token(services, Scope.READ)["Authorization"].removeprefix("Bearer ")
    client.post("/login", data={"token": text}, follow_redirects=False)
    begun, go_on = threading.Event(), threading.Event()
    brings = RunDigest(("throws away half",), "", ("method",), (), (), (), {}, ())

    def digest(*_: object) -> RunDigest:
        begun.set()
        go_on.wait(30)
        return brings

    with mock.patch.object(type(services.workers), "run", digest):
        assert "throws away half" not in client.get("/").text
        assert begun.wait(30)
        assert "throws away half" not in client.get("/overview/live").text
        go_on.set()
        processes.wait_until(
            lambda: "throws away half" in client.get("/overview/live").text, "it is there"
        )
