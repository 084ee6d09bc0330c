"""Runs by REST: asked for, listed, cancelled, deleted; what is wrong is said in one go."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from glean.operations.running.run_request import RunRequest
from glean.runs.index import GONE
from glean.runs.process_tree import this_process
from glean.service.api import runs as runs_api
from glean.service.problems import ProblemError
from glean.service.runs import discovery as found_runs
from glean.service.runs import queue
from glean.service.runs.asking import new_id
from glean.service.runs.claims import claim_oldest
from glean.service.runs.leases import Leases
from glean.service.runs.listing import RunOrder
from glean.service.runs.status import RunStatus
from glean.service.services import Services

SMALL: dict[str, Any] = {
    "engine": "inprocess",
    "bakeries": 3,
    "settings": {"num-server-rounds": 2, "max-depth": 2},
}


@pytest.fixture(autouse=True)
def _checked_here(services: Services) -> Any:
    """What the worker process would check is checked in this one: starting it takes seconds."""
    with mock.patch.object(
        type(services.workers), "run", lambda _, function, *given: function(*given)
    ):
        yield


def ask(client: TestClient, headers: dict[str, str], **changes: Any) -> Any:
    return client.post("/api/v1/runs", headers=headers, json=SMALL | changes)


def test_a_run_waits_its_turn(
    client: TestClient, admin: dict[str, str], services: Services
) -> None:
    """It has an id and a place; on disk lies what was asked for."""
    answer = ask(client, admin)
    run = answer.json()
    assert (answer.status_code, run["status"], run["started_at"]) == (201, "queued", None)
    assert answer.headers["location"] == f"/api/v1/runs/{run['id']}"
    request = RunRequest.read(services.settings.requests / run["id"])
    assert (request.engine, dict(request.settings), request.bakeries) == (
        "inprocess",
        SMALL["settings"],
        3,
    )
    assert client.get("/api/status", headers=admin).json()["queued"] == [run]


def test_all_that_is_wrong_is_said_at_once(client: TestClient, admin: dict[str, str]) -> None:
    """Each by the place where it stands, as problem details."""
    answer = ask(client, admin, settings={"num-server-rounds": 0, "max-deep": 3, "eta": 1})
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (problem["status"], problem["title"]) == (422, "Unprocessable Entity")
    places = [item["pointer"] for item in problem["errors"]]
    assert sorted(places) == ["/settings/eta", "/settings/max-deep", "/settings/num-server-rounds"]
    assert ask(client, admin, engine="x", bakeries=0, more=1).json()["detail"] == (
        "3 things are wrong"
    )
    settings = {"sales": "/etc/passwd", "max-depth": 99}
    mixed = ask(client, admin, engine="deployment", bakeries=2, settings=settings).json()
    assert [item["pointer"] for item in mixed["errors"]] == [
        "/settings/sales",
        "/bakeries",
        "/connection",
        "/settings/max-depth",
    ]


def test_what_is_no_json_is_said_with_its_place(client: TestClient, admin: dict[str, str]) -> None:
    """As a problem of the whole body."""
    headers = {**admin, "Content-Type": "application/json"}
    answer = client.post("/api/v1/runs", headers=headers, content=b'{"engine": ray}')
    (problem,) = answer.json()["errors"]
    assert (answer.status_code, problem["pointer"]) == (422, "")
    assert problem["detail"] == "the body is no JSON: Expecting value, at character 11"


@pytest.mark.parametrize("key", ["sales", "products", "resume", "start-from", "output-dir"])
def test_no_path_from_outside_is_taken(client: TestClient, admin: dict[str, str], key: str) -> None:
    """Neither for a run nor as a default of all."""
    answer = ask(client, admin, settings={key: "/etc/passwd"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, f"/settings/{key}")
    body = {"settings": {key: "/etc/passwd"}}
    assert client.put("/api/config", headers=admin, json=body).status_code == 422


def test_the_same_key_runs_once(client: TestClient, admin: dict[str, str]) -> None:
    """And not with another request."""
    keyed = admin | {"Idempotency-Key": "monday"}
    first, second = ask(client, keyed), ask(client, keyed)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert ask(client, keyed, bakeries=4).status_code == 422
    run_id = first.json()["id"]
    client.post(f"/api/v1/runs/{run_id}/stop", headers=admin)
    client.delete(f"/api/v1/runs/{run_id}", headers=admin)
    assert ask(client, keyed).status_code == 409
    assert ask(client, admin).json()["id"] != first.json()["id"]


def test_a_key_runs_once_though_the_database_dies_before_the_answer(services: Services) -> None:
    """Its request is on disk then, and is found there; or it is sent again before that."""

    def requested(**words: Any) -> RunRequest:
        return RunRequest("inprocess", str(services.settings.results), asked_by="Ada", **words)

    def die(_: object) -> None:
        raise OperationalError("COMMIT", None, Exception("it was cut"))

    for key in ("monday", "tuesday"):
        sa.event.listen(services.database.engine, "commit", die)
        with pytest.raises(OperationalError):
            services.queue.ask(requested(), key=key)
        sa.event.remove(services.database.engine, "commit", die)
        if key == "monday":
            services.discovery.refresh()
        row, new = services.queue.ask(requested(), key=key)
        assert (row.status, new) == ("queued", key == "tuesday")
        services.discovery.refresh()
        assert services.queue.ask(requested(), key=key)[0].id == row.id
        with pytest.raises(ProblemError, match="with another request before"):
            services.queue.ask(requested(bakeries=4), key=key)
    assert len(list(services.settings.requests.iterdir())) == 2
    assert services.queue.ask(replace(requested(), asked_by="Ben"), key="monday")[1]


def test_half_a_request_under_a_key_is_written_anew(services: Services) -> None:
    """The service was killed over it. Another one that is there whole is refused."""
    request = RunRequest("inprocess", str(services.settings.results), asked_by="Ada")
    folder = services.settings.requests / new_id("monday", "Ada")
    folder.mkdir()
    services.queue.ask(request, key="monday")
    assert RunRequest.read(folder) == request
    replace(request, bakeries=9).write(services.settings.requests / new_id("tuesday", "Ada"))
    with pytest.raises(ProblemError, match="with another request before"):
        services.queue.ask(request, key="tuesday")


def test_runs_of_one_second_begin_in_the_order_in_which_they_were_asked_for(
    services: Services,
) -> None:
    """On workers, here, and as the broker is told of them."""
    results = str(services.settings.results)
    asked = [services.queue.ask(RunRequest("inprocess", results))[0].id for _ in range(3)]
    leases = Leases(services.database)
    taken = [leases.take("w") for _ in asked]
    assert [lease.run_id for lease in taken if lease is not None] == asked
    for lease in taken:
        assert lease is not None
        leases.hand_back(lease)
    with services.database.transaction() as session:
        assert claim_oldest(session, sa.true(), 3) == asked


def test_a_full_queue_says_when_to_come_back(client: TestClient, admin: dict[str, str]) -> None:
    """Until one has gone."""
    run, *_ = [ask(client, admin).json() for _ in range(3)]
    answer = ask(client, admin)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "30")
    client.post(f"/api/v1/runs/{run['id']}/stop", headers=admin)
    assert ask(client, admin).status_code == 201


def test_what_waits_can_be_taken_back(
    client: TestClient, admin: dict[str, str], services: Services
) -> None:
    """It is never started, also not by a service that lost its database."""
    run = ask(client, admin).json()
    stopped = client.post(f"/api/v1/runs/{run['id']}/stop", headers=admin).json()
    assert stopped["status"] == "cancelled"
    assert client.post(f"/api/v1/runs/{run['id']}/stop", headers=admin).status_code == 409
    with mock.patch.object(queue, "start_detached") as start:
        services.queue.start_next()
        services.discovery.rebuild()
        services.queue.start_next()
    start.assert_not_called()
    assert client.get(f"/api/v1/runs/{run['id']}", headers=admin).json()["status"] == "cancelled"


def test_what_is_stopped_while_it_starts_has_ended(
    client: TestClient, admin: dict[str, str], services: Services
) -> None:
    """Its process has said nothing yet, and never will."""
    run = ask(client, admin).json()
    process = mock.Mock(poll=mock.Mock(return_value=None))
    with mock.patch.object(queue, "start_detached", return_value=process):
        services.queue.start_next()
    client.post(f"/api/v1/runs/{run['id']}/stop", headers=admin)
    services.discovery.refresh()
    found = client.get(f"/api/v1/runs/{run['id']}", headers=admin).json()
    assert (found["status"], found["reason"]) == ("failed", "interrupted")


def test_those_asked_first_begin_first(
    client: TestClient, admin: dict[str, str], services: Services
) -> None:
    """As many as may go on at once."""
    runs = [ask(client, admin).json()["id"] for _ in range(3)]
    times = [f"2026-01-01T00:00:0{place}+00:00" for place in (2, 0, 1)]
    with services.database.transaction() as session:
        for run_id, time in zip(runs, times, strict=True):
            queue.find_row(session, run_id).asked_at = time
    with mock.patch.object(queue, "start_detached") as start:
        services.queue.start_next()
        services.queue.start_next()
    assert [call.args[0].name for call in start.call_args_list] == [runs[1], runs[1]]
    # A second look starts it again, as a service does that was killed in between: its process
    # finds that there is one and goes.


def test_a_process_that_has_not_said_so_yet_is_not_started_again(
    client: TestClient, admin: dict[str, str], services: Services
) -> None:
    """Unless it has ended without a word, or another service had started it."""
    ask(client, admin)
    process = mock.Mock(poll=mock.Mock(return_value=None))
    with mock.patch.object(queue, "start_detached", return_value=process) as start:
        services.queue.start_next()
        services.queue.start_next()
        assert start.call_count == 1
        process.poll.return_value = 1
        services.queue.start_next()
        assert start.call_count == 2


def test_what_the_database_refuses_leaves_nothing_on_disk(
    client: TestClient, admin: dict[str, str], services: Services
) -> None:
    """And what the disk refuses nothing in the database."""
    with mock.patch.object(RunRequest, "write", side_effect=OSError(28, "No space left")):
        answer = ask(client, admin)
    assert (answer.status_code, answer.json()["detail"]) == (
        507,
        "the run can't be kept: No space left",
    )
    assert list(services.settings.requests.iterdir()) == []
    assert client.get("/api/status", headers=admin).json()["queued"] == []


def test_runs_of_the_command_line_are_there(
    client: TestClient, admin: dict[str, str], run_of_command_line: Path
) -> None:
    """With what they came to; by Flower's id."""
    (run,) = client.get("/api/v1/runs", headers=admin).json()["runs"]
    assert (run["status"], run["rounds"], run["rounds_done"], run["bakeries"]) == (
        "completed",
        2,
        2,
        3,
    )
    assert run["id"] == run["flower_id"] == run_of_command_line.name.rpartition("-")[2]
    rounds = client.get("/api/metrics", headers=admin).json()["rounds"]
    assert run["score"] == pytest.approx(rounds[-1]["wape"])


def test_the_list_can_be_made_anew(
    client: TestClient, admin: dict[str, str], services: Services
) -> None:
    """From requests and folders, with nothing lost, nothing doubled, the same ids."""
    ask(client, admin)
    before = client.get("/api/v1/runs", headers=admin).json()
    assert services.discovery.rebuild() == 2
    assert client.get("/api/v1/runs", headers=admin).json() == before


def test_a_run_whose_folder_is_deleted_is_gone(
    client: TestClient, admin: dict[str, str], services: Services, results: Path
) -> None:
    """Whoever deleted it."""
    shutil.rmtree(next(results.glob("2*")))
    services.discovery.refresh()
    assert client.get("/api/v1/runs", headers=admin).json()["runs"] == []


def test_a_run_that_was_killed_has_failed(
    client: TestClient, admin: dict[str, str], services: Services, results: Path
) -> None:
    """Its own file says "running" for good."""
    path = next(results.glob("2*")) / "run.json"
    facts = json.loads(path.read_text())
    gone = facts["process"] | {"pid": 2**22 - 1}
    path.write_text(json.dumps(facts | {"status": "running", "process": gone}))
    services.discovery.refresh()
    (run,) = client.get("/api/v1/runs", headers=admin).json()["runs"]
    assert (run["status"], run["reason"]) == ("failed", GONE)


def test_where_nothing_happens_little_is_looked_at(services: Services, results: Path) -> None:
    """A run that comes or goes, or goes on, is noticed at once; a change of an ended one later."""
    discovery, looked = services.discovery, mock.Mock(wraps=services.discovery.refresh)
    with mock.patch.object(discovery, "refresh", looked):
        discovery.refresh_if_changed()
        discovery.refresh_if_changed()
        assert looked.call_count == 1
        path = next(results.glob("2*"))
        shutil.copytree(path, results / "20260101T000000Z-8001")
        discovery.refresh_if_changed()
        assert looked.call_count == 2
        with services.database.transaction() as session:
            queue.find_row(session, "8001").status = RunStatus.RUNNING
        with mock.patch.object(found_runs, "ENDED_RUNS_EVERY_S", -1.0):
            discovery.refresh_if_changed()
        assert looked.call_count == 3
        discovery.refresh_if_changed()
        discovery.refresh_if_changed()
        assert looked.call_count == 4


def test_a_damaged_run_hides_no_other(services: Services, results: Path) -> None:
    """Nor does a stray folder, nor the link to the latest."""
    (results / "20260101T000000Z-7").mkdir()
    (results / "20260101T000000Z-7" / "run.json").write_text("{")
    (results / "latest").symlink_to(next(results.glob("2*-[0-9]*")).name)
    services.discovery.refresh()
    assert services.discovery.rebuild() == 1


def test_only_what_has_ended_can_be_deleted(
    client: TestClient, admin: dict[str, str], services: Services, results: Path
) -> None:
    """With all its files, those of its request too."""
    waiting = ask(client, admin).json()["id"]
    assert client.delete(f"/api/v1/runs/{waiting}", headers=admin).status_code == 409
    client.post(f"/api/v1/runs/{waiting}/stop", headers=admin)
    (done,) = client.get("/api/v1/runs?status=completed", headers=admin).json()["runs"]
    for run_id in (waiting, done["id"]):
        assert client.delete(f"/api/v1/runs/{run_id}", headers=admin).status_code == 204
        assert client.get(f"/api/v1/runs/{run_id}", headers=admin).status_code == 404
    assert list(results.glob("2*")) == list(services.settings.requests.iterdir()) == []
    services.discovery.refresh()
    assert client.get("/api/v1/runs", headers=admin).json()["runs"] == []


@pytest.mark.parametrize("order", list(RunOrder))
def test_pages_have_every_run_once(
    client: TestClient, admin: dict[str, str], order: RunOrder
) -> None:
    """In any order, also while one comes in between."""
    wanted = {ask(client, admin).json()["id"] for _ in range(2)}
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"sort": order.value, "limit": "1", "cursor": cursor}
        page = client.get("/api/v1/runs", headers=admin, params=query).json()
        seen += [run["id"] for run in page["runs"]]
        cursor = page["next_cursor"]
    assert len(seen) == len(set(seen)) == 3
    assert wanted < set(seen)


@pytest.mark.parametrize("cursor", ["x", "e30=", "WyJzdGF0dXMiLDEsMl0=", "\u00e9"])
def test_a_cursor_that_is_none_is_refused(
    client: TestClient, admin: dict[str, str], cursor: str
) -> None:
    """By its name."""
    answer = client.get("/api/v1/runs", headers=admin, params={"cursor": cursor})
    assert answer.json()["errors"][0]["pointer"] == "query/cursor"


def test_defaults_count_unless_a_run_is_told_otherwise(
    client: TestClient, admin: dict[str, str]
) -> None:
    """Checked as a run's settings are."""
    chosen = {"settings": {"max-depth": 3, "num-server-rounds": 7}}
    assert client.put("/api/config", headers=admin, json=chosen).json() == chosen
    assert client.get("/api/config", headers=admin).json() == chosen
    assert ask(client, admin).json()["settings"] == chosen["settings"] | SMALL["settings"]
    for wrong in ({"max-depth": 300}, {"holiday-region": "DE-XX"}):
        answer = client.put("/api/config", headers=admin, json={"settings": wrong})
        assert answer.status_code == 422, answer.text
    assert client.get("/api/config", headers=admin).json() == chosen


def test_who_has_a_run_already_is_not_sent_it_again(
    client: TestClient, admin: dict[str, str]
) -> None:
    """304 until it changes."""
    run = ask(client, admin).json()
    path = f"/api/v1/runs/{run['id']}"
    etag = client.get(path, headers=admin).headers["etag"]
    assert client.get(path, headers=admin | {"If-None-Match": etag}).status_code == 304
    client.post(f"{path}/stop", headers=admin)
    assert client.get(path, headers=admin | {"If-None-Match": etag}).status_code == 200


def test_a_process_that_can_not_be_started_fails_its_run(
    client: TestClient, admin: dict[str, str], services: Services
) -> None:
    """With the reason; those that wait behind it go on."""
    first, second = (ask(client, admin).json()["id"] for _ in range(2))
    with mock.patch.object(queue, "start_detached", side_effect=OSError("no more processes")):
        services.queue.start_next()
    services.discovery.refresh()
    statuses = {run_id: services.queue.find(run_id) for run_id in (first, second)}
    (failed,) = [row for row in statuses.values() if row.status == "failed"]
    assert "no more processes" in failed.reason
    with mock.patch.object(queue, "start_detached") as start:
        services.queue.start_next()
    assert start.call_count == 1


def test_nothing_of_this_machine_is_in_an_answer(
    client: TestClient, admin: dict[str, str], services: Services
) -> None:
    """Where results lie is the operator's business."""
    ask(client, admin)
    for path in ("/api/status", "/api/v1/models", "/api/v1/datasets", "/readyz"):
        assert os.fspath(services.settings.home) not in client.get(path, headers=admin).text


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        ({"engine": "deployment", "connection": "bakeries"}, ["/bakeries"]),
        ({"engine": "deployment", "dataset": "d1"}, ["/dataset", "/bakeries", "/connection"]),
        ({"engine": "ray", "connection": "bakeries"}, ["/connection"]),
    ],
)
def test_a_deployment_has_tables_of_its_own(
    client: TestClient, admin: dict[str, str], changes: dict[str, Any], places: list[str]
) -> None:
    """And a simulation no SuperLink: each field that doesn't belong is named."""
    answer = ask(client, admin, **changes)
    assert answer.status_code == 422
    assert [item["pointer"] for item in answer.json()["errors"]] == places


def test_a_run_on_a_deployment_is_followed_by_what_is_known_here(
    client: TestClient, admin: dict[str, str], services: Services
) -> None:
    """Its folder may lie on the server's machine."""
    with mock.patch.object(runs_api, "check_request"):
        run = ask(client, admin, engine="deployment", connection="bakeries", bakeries=None).json()
    folder = services.settings.requests / run["id"]
    for files, status in (
        ({"process.json": json.dumps(this_process())}, "starting"),
        ({"run-id": "4711"}, "running"),
        ({"summary": "off by 12%"}, "running"),
        ({"process.json": json.dumps(this_process() | {"began": 1.0})}, "completed"),
    ):
        for name, content in files.items():
            (folder / name).write_text(content)
        services.discovery.refresh()
        found = client.get(f"/api/v1/runs/{run['id']}", headers=admin).json()
        assert (found["status"], found["reason"]) == (status, "")
    assert found["flower_id"] == "4711"


def test_a_deployment_s_run_of_which_nothing_is_heard_may_go_on(
    client: TestClient, admin: dict[str, str], services: Services
) -> None:
    """Who watched it was killed: it is said how to look."""
    with mock.patch.object(runs_api, "check_request"):
        run = ask(client, admin, engine="deployment", connection="bakeries", bakeries=None).json()
    folder = services.settings.requests / run["id"]
    (folder / "run-id").write_text("4711")
    (folder / "process.json").write_text(json.dumps(this_process() | {"began": 1.0}))
    services.discovery.refresh()
    found = client.get(f"/api/v1/runs/{run['id']}", headers=admin).json()
    assert found["status"] == "failed"
    assert "flwr log 4711" in found["reason"]
