"""Who took part, how each stands, and who stays away though it was asked for."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from starlette.testclient import TestClient

from glean.languages.language import language
from glean.operations.running.run_request import RunRequest
from glean.runs.event_row import Event
from glean.runs.events import (
    BakeryFailed,
    BakeryJoined,
    BakeryMissing,
    BakeryNotTrained,
    BakeryReturned,
    RoundFinished,
    RunFinished,
    RunStarted,
    WaitingForBakeries,
)
from glean.runs.phase_events import Phase, PhaseStarted
from glean.runs.setback_events import GroupLeftOut
from glean.service.alerts.absence_watch import AbsenceWatch
from glean.service.alerts.outbox import AlertOutbox
from glean.service.alerts.webhooks import webhook
from glean.service.runs.client_states import ClientState, client_standings
from glean.service.runs.queue import find_row
from glean.service.runs.status import RunStatus
from glean.service.services import Services
from glean.service.web.pages import runs as run_pages

NOW = dt.datetime.now(dt.UTC)
END = RunFinished("completed", "")
WAIT = WaitingForBakeries(2, 2, 3, {})


def ago(days: float) -> str:
    return (NOW - dt.timedelta(days=days)).isoformat(timespec="seconds")


def write_events(path: Path, *, days_ago: float, events: Iterable[Event]) -> None:
    """Write an `events.jsonl`, an event a minute."""
    rows = [{"time": ago(days_ago - i / 1440), **e.to_row()} for i, e in enumerate(events)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_run(
    results: Path,
    number: int,
    days_ago: float,
    *bakeries: str,
    engine: str = "deployment",
    then: Iterable[Event] = (),
) -> None:
    """Write the folder of a run that completed."""
    folder = results / f"20260101T00000{number}Z-{number}"
    folder.mkdir(parents=True)
    events = [RunStarted(bakeries, 1), *then, END]
    write_events(folder / "events.jsonl", days_ago=days_ago, events=events)
    facts: dict[str, Any] = {
        "status": "completed",
        "engine": engine,
        "start": ago(days_ago),
        "end": ago(days_ago - 0.01),
        "config": {},
        "settings": {},
        "versions": {"glean": "9.9"},
    }
    (folder / "run.json").write_text(json.dumps(facts))


@pytest.mark.parametrize(
    ("events", "wanted"),
    [
        ([], (ClientState.TRAINING, 0)),
        ([BakeryNotTrained("a", "too few days")], (ClientState.WATCHING, 1)),
        ([BakeryMissing(2, "a", ago(9), 30.0)], (ClientState.MISSING, None)),
        ([BakeryMissing(2, "a", ago(9), 30.0), BakeryReturned(3, "a", 60.0)], ("training", 2)),
        ([WAIT], (ClientState.WAITING, 1)),
        ([WAIT, RoundFinished(2, 1, 1, 0)], (ClientState.TRAINING, 2)),
        ([WAIT, END], (ClientState.DONE, 2)),
        ([BakeryFailed(2, "a", "no"), WAIT], (ClientState.FAILED, 1)),
        ([BakeryFailed(2, "a", "no")], (ClientState.FAILED, 1)),
        ([BakeryFailed(2, "a", "no"), RoundFinished(2, 1, 1, 0)], (ClientState.FAILED, 1)),
        ([BakeryFailed(2, "a", "no"), RoundFinished(3, 1, 1, 0)], (ClientState.TRAINING, 2)),
        ([BakeryFailed(2, "a", "no"), RoundFinished(3, 1, 0, 1)], (ClientState.FAILED, 1)),
        ([GroupLeftOut(2, ("a", "b"), "odd")], (ClientState.REFUSED, 1)),
        ([END], (ClientState.DONE, 1)),
        ([GroupLeftOut(2, ("a", "b"), "odd"), END], (ClientState.REFUSED, 1)),
    ],
)
def test_a_bakery_stands_as_the_last_event_says(
    tmp_path: Path, events: list[Event], wanted: tuple[str, int | None]
) -> None:
    """Since when that happened; where it is missing, since it was heard of."""
    path = tmp_path / "events.jsonl"
    write_events(path, days_ago=1, events=[RunStarted(("a", "b"), 9), *events])
    (one, _) = client_standings(path)
    state, at = wanted
    assert (one.name, one.state) == ("a", state)
    assert one.since == (ago(9) if at is None else ago(1 - at / 1440))


def test_who_was_refused_at_the_door_took_no_part(tmp_path: Path) -> None:
    """However well the rounds go; who is named at the beginning all the same does."""
    path = tmp_path / "events.jsonl"
    refused = [BakeryFailed(0, name, "odd name") for name in ("node 7", "a")]
    events = [*refused, RunStarted(("a",), 9), RoundFinished(1, 1, 1, 0), END]
    write_events(path, days_ago=1, events=events)
    assert {one.name: one.state for one in client_standings(path)} == {
        "a": ClientState.DONE,
        "node 7": ClientState.REFUSED,
    }


def test_what_is_amiss_is_told_in_the_language_of_who_asks(tmp_path: Path) -> None:
    """Reasons, which come from errors, as they are."""
    path = tmp_path / "events.jsonl"
    missing = BakeryMissing(1, "a", ago(9), 61.0)
    events = [RunStarted(("a", "b", "c"), 9), missing, BakeryFailed(2, "b", "no reply")]
    write_events(path, days_ago=1, events=events)
    german = [one.why(language("de")) for one in client_standings(path)]
    assert german == ["a fehlt; zuletzt vor 61 s gemeldet", "b: no reply", ""]


def test_who_comes_later_takes_part(tmp_path: Path) -> None:
    """As one of those in the list."""
    path = tmp_path / "events.jsonl"
    write_events(path, days_ago=1, events=[RunStarted(("b",), 9), BakeryJoined(3, "a")])
    assert [one.name for one in client_standings(path)] == ["a", "b"]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


def missing_days(client: TestClient, admin: dict[str, str], services: Services) -> dict[str, int]:
    services.discovery.refresh()
    answer = client.get("/api/v1/bakeries", headers=admin)
    assert answer.status_code == 200, answer.text
    return {one["name"]: one["days_missing"] for one in answer.json()["bakeries"]}


def test_who_is_asked_for_and_does_not_come_is_missing(
    client: TestClient, admin: dict[str, str], services: Services, results: Path
) -> None:
    """Of a federation of others it isn't, nor where nobody asked, nor in a simulation."""
    write_run(results, 1, 9, "a", "b")
    assert missing_days(client, admin, services) == {"a": 0, "b": 0}
    write_run(results, 2, 5, "c", "d")
    assert missing_days(client, admin, services)["b"] == 0
    write_run(results, 3, 4, "a", "c")
    write_run(results, 4, 3, "x", "y", engine="ray")
    write_run(results, 5, 2, "x", engine="ray")
    found = missing_days(client, admin, services)
    assert found == {"a": 0, "b": 8, "c": 0, "d": 4, "x": 0, "y": 0}


def test_who_went_in_a_run_is_missing_since_it_was_heard_of(
    client: TestClient, admin: dict[str, str], services: Services, results: Path
) -> None:
    """Also where no run has been since."""
    write_run(results, 1, 5, "a", "b", then=[BakeryMissing(2, "b", ago(5.1), 30.0)])
    assert missing_days(client, admin, services) == {"a": 0, "b": 5}


def test_a_bakery_s_version_and_last_day_are_told(
    client: TestClient, admin: dict[str, str], services: Services, results: Path
) -> None:
    """By REST as on the page."""
    write_run(results, 1, 5, "a", "b")
    services.discovery.refresh()
    one = client.get("/api/v1/bakeries", headers=admin).json()["bakeries"][0]
    assert (one["version"], one["last_seen"], one["state"]) == ("9.9", ago(4.99), "done")
    assert one["score"] is None


def test_an_alert_says_who_stays_away_once(
    client: TestClient, admin: dict[str, str], services: Services, results: Path
) -> None:
    """After the days that were asked for; once more when it came and went again."""
    sent: list[str] = []
    hook = webhook("http://127.0.0.1:9/")
    alerts = AlertOutbox(services.database, [hook], lambda _, alert: sent.append(alert["text"]))
    watch = AbsenceWatch(services.database, services.bakeries, alerts, days=4)
    write_run(results, 1, 30, "a", "b")
    write_run(results, 2, 27, "a")
    for _ in range(2):
        missing_days(client, admin, services)
        watch.look()
        alerts.send_due()
    assert sent == [f"b was last there on {ago(29.99)[:10]}, in run 1: it is missing for 29 days"]
    write_run(results, 3, 20, "a", "b")
    write_run(results, 4, 19, "a")
    missing_days(client, admin, services)
    watch.look()
    alerts.send_due()
    assert len(sent) == 2


def test_the_overview_and_the_page_name_who_stays_away(
    client: TestClient, admin: dict[str, str], services: Services, results: Path
) -> None:
    """From as many days on as the service was told."""
    write_run(results, 1, 9, "a", "b")
    write_run(results, 2, 5, "a")
    services.discovery.refresh()
    client.post("/login", data={"token": admin["Authorization"].removeprefix("Bearer ")})
    assert "b is missing for 8 days." in client.get("/").text
    assert "missing for 8 days" in client.get("/bakeries").text


def test_a_run_s_page_says_what_is_done_where_no_round_tells(
    client: TestClient, admin: dict[str, str], services: Services, results: Path
) -> None:
    """And since when; rounds, and the end, tell by themselves."""
    write_run(results, 1, 2, "a", "b")
    path = next(results.glob("2*"))
    services.discovery.refresh()
    client.post("/login", data={"token": admin["Authorization"].removeprefix("Bearer ")})
    phase = PhaseStarted(Phase.FINAL_TEST)
    words = "The rounds are done. Each bakery refines"
    begun = [RunStarted(("a", "b"), 1), RoundFinished(1, 2, 2, 0)]
    with services.database.transaction() as session:
        find_row(session, "1").status = RunStatus.RUNNING
    for events, doing in (([*begun, phase], True), ([phase, *begun], False), (begun, False)):
        write_events(path / "events.jsonl", days_ago=0, events=events)
        page = client.get("/runs/1/live").text.partition("What happened")[0]
        assert (words in page) == doing
        assert ("Since " in page) == doing


def test_a_score_with_noise_stands_with_it(
    client: TestClient, admin: dict[str, str], services: Services, results: Path
) -> None:
    """In the list, on its page and by REST; without noise it stands alone."""
    noised = RoundFinished(1, 2, 2, 0, {"wape": 0.429}, noise=0.211)
    write_run(results, 1, 2, "a", "b", then=[noised])
    write_run(results, 2, 1, "a", "b", then=[RoundFinished(1, 2, 2, 0, {"wape": 0.15})])
    services.discovery.refresh()
    found = {run["id"]: run for run in client.get("/api/v1/runs", headers=admin).json()["runs"]}
    assert (found["1"]["score"], found["1"]["score_noise"]) == (0.429, 0.211)
    assert found["2"]["score_noise"] is None
    client.post("/login", data={"token": admin["Authorization"].removeprefix("Bearer ")})
    assert "42.9% ± 21.1%" in client.get("/runs").text
    assert "42.9% ± 21.1%" in client.get("/runs/1").text
    assert "±" not in client.get("/runs/2").text


def test_a_deployment_s_run_goes_on_at_its_deployment(
    client: TestClient, admin: dict[str, str], services: Services, results: Path
) -> None:
    """By the connection that it was asked for with; what was typed goes on where it was typed."""
    write_run(results, 1, 2, "a", "b")
    services.discovery.refresh()
    signed_in = client.post(
        "/login", data={"token": admin["Authorization"].removeprefix("Bearer ")}
    )
    assert signed_in.status_code in (200, 303)
    csrf = re.search(r'name="csrf" value="([^"]+)"', client.get("/runs/1").text)
    assert csrf
    refused = client.post("/runs/1/resume", data={"csrf": csrf[1]})
    assert refused.status_code == 409
    assert "glean run CONNECTION --resume" in refused.text
    asked = RunRequest(engine="deployment", results=str(results), connection="bakeries")
    row = services.queue.find("1")
    with (
        mock.patch.object(type(services.queue), "request", return_value=asked),
        mock.patch.object(run_pages, "ask_for_run", return_value=(row, True)) as ask,
    ):
        client.post("/runs/1/resume", data={"csrf": csrf[1]})
    body = ask.call_args.args[1]
    assert (body.engine, body.connection, body.resume) == ("deployment", "bakeries", "1")
