"""Runs on a made-up SLURM, by REST and on the pages; the real one is in `tests/system/`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from starlette.testclient import TestClient

from glean.operations.running.detached_run import ERROR, RUN_ID, claim
from glean.operations.running.run_request import RunRequest
from glean.operations.slurm.slurm_job import SlurmJob
from glean.runs.process_tree import this_process
from glean.service.runs import queue
from glean.service.services import Services
from glean.service.store.tables import RunRow
from tests.fake_slurm import NUMBER, FakeSlurm, write_run
from tests.service.test_pages import send, sign_in

ASKED: dict[str, Any] = {
    "engine": "slurm",
    "bakeries": 3,
    "settings": {"num-server-rounds": 2},
    "job": {"nodes": 2, "cpus": 8, "time": "2:00:00"},
}
RUN = 4077
GONE = this_process() | {"began": 1.0}


@pytest.fixture(autouse=True)
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    """A made-up SLURM on the PATH."""
    found = FakeSlurm(tmp_path / "slurm", tmp_path / "home")
    found.use(monkeypatch)
    return found


@pytest.fixture(autouse=True)
def start(services: Services) -> Iterator[mock.Mock]:
    """No process is started, and what the worker process would check is checked in this one."""
    checked = mock.patch.object(
        type(services.workers), "run", lambda _, function, *given: function(*given)
    )
    process = mock.Mock(poll=mock.Mock(return_value=0))
    with checked, mock.patch.object(queue, "start_detached", return_value=process) as started:
        yield started


def ask(client: TestClient, headers: dict[str, str], **changes: Any) -> Any:
    return client.post("/api/v1/runs", headers=headers, json=ASKED | changes)


def begin(services: Services, client: TestClient, headers: dict[str, str], log: Path) -> Path:
    """Ask for a run whose job SLURM has; the folder of its request."""
    run_id = ask(client, headers).json()["id"]
    services.queue.start_next()
    folder = services.settings.requests / str(run_id)
    claim(folder, this_process())
    SlurmJob(NUMBER, str(log), "PENDING", "Resources").write(folder)
    services.discovery.refresh()
    return folder


def row_of(services: Services, folder: Path) -> RunRow:
    services.discovery.refresh()
    return services.queue.find(folder.name)


def test_what_the_job_asks_for_lies_on_disk(
    client: TestClient, admin: dict[str, str], services: Services
) -> None:
    """What wasn't said isn't there; under one key another job is another request."""
    keyed = admin | {"Idempotency-Key": "monday"}
    answer = ask(client, keyed)
    assert (answer.status_code, answer.json()["job"]) == (201, None)
    request = RunRequest.read(services.settings.requests / answer.json()["id"])
    assert (request.engine, dict(request.job)) == ("slurm", ASKED["job"])
    assert ask(client, keyed).status_code == 200
    assert ask(client, keyed, job={"nodes": 3}).status_code == 422


def test_all_that_is_wrong_with_a_job_is_said_at_once(
    client: TestClient, admin: dict[str, str]
) -> None:
    """In the words of `submit-job.sh`."""
    job = {"nodes": 0, "mem": "8GB", "time": "2h", "partition": "a b", "gpus": "x:", "nice": 1}
    answer = ask(client, admin, job=job)
    assert answer.status_code == 422
    found = {item["pointer"]: item["detail"] for item in answer.json()["errors"]}
    assert set(found) == {f"/job/{name}" for name in job}
    assert found["/job/mem"] == "found '8GB'; wanted a size like 16G"
    assert found["/job/gpus"] == "found 'x:'; wanted a number from 1 on, or TYPE:NUMBER"


def test_a_job_belongs_to_slurm_alone(client: TestClient, admin: dict[str, str]) -> None:
    """And a connection not to it."""
    answer = ask(client, admin, engine="ray")
    assert [item["pointer"] for item in answer.json()["errors"]] == ["/job"]
    answer = ask(client, admin, connection="bakeries")
    assert [item["pointer"] for item in answer.json()["errors"]] == ["/connection"]


def test_settings_are_checked_before_the_job_is_submitted(
    client: TestClient, admin: dict[str, str]
) -> None:
    """As those of any run."""
    answer = ask(client, admin, settings={"max-depth": 300})
    assert answer.json()["errors"][0]["pointer"] == "/settings/max-depth"


def test_without_slurm_it_is_not_offered(
    client: TestClient,
    admin: dict[str, str],
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And refused with what is missing."""
    sign_in(client, services)
    assert 'value="slurm"' in client.get("/runs/new").text
    monkeypatch.setenv("PATH", "/nowhere")
    answer = ask(client, admin)
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["pointer"]) == (422, "/engine")
    assert "sbatch isn't on the PATH" in error["detail"]
    page = client.get("/runs/new").text
    assert 'value="slurm"' not in page
    assert "job-nodes" not in page


def test_jobs_wait_at_slurm_and_not_here(
    client: TestClient, admin: dict[str, str], services: Services, start: mock.Mock
) -> None:
    """A run of this machine waits for none of them, nor they for it."""
    services.queue.ask(RunRequest(engine="inprocess", results="", asked_at="2026-01-01"))
    for _ in range(2):
        ask(client, admin)
    services.queue.start_next()
    assert start.call_count == 3


def test_its_job_is_shown_while_it_waits_and_runs(
    client: TestClient, admin: dict[str, str], services: Services, cluster: FakeSlurm
) -> None:
    """Number, state, reason, and the end of its log, by REST and on the page."""
    sign_in(client, services)
    folder = begin(services, client, admin, cluster.log)
    path = f"/api/v1/runs/{folder.name}"
    run = client.get(path, headers=admin).json()
    pending = {"number": NUMBER, "state": "PENDING", "reason": "Resources"}
    assert (run["status"], run["engine"], run["job"]) == ("starting", "slurm", pending)
    live = client.get(f"/runs/{folder.name}/live").text
    assert "42: PENDING (Resources)" in live
    assert "waits its turn at SLURM" in live
    cluster.log.parent.mkdir()
    cluster.log.write_text("".join(f"<b>round</b> {number}\n" for number in range(30)))
    SlurmJob(NUMBER, str(cluster.log), "RUNNING").write(folder)
    services.discovery.refresh()
    live = client.get(f"/runs/{folder.name}/live").text
    assert "42: RUNNING<" in live
    assert "<b>" not in live
    assert "&lt;b&gt;round&lt;/b&gt; 29" in live
    assert " 10\n" not in live
    assert client.get(f"{path}/log", headers=admin).text == cluster.log.read_text()
    assert str(cluster.home) not in client.get(path, headers=admin).text


def test_its_folder_is_the_run_s(
    client: TestClient, admin: dict[str, str], services: Services, results: Path
) -> None:
    """It stays a run on SLURM, whose job is told to its end; the list can be made anew."""
    folder = begin(services, client, admin, results / "log")
    (folder / RUN_ID).write_text(str(RUN))
    write_run(results, RUN, status="completed", engine="ray")
    SlurmJob(NUMBER, "log", "RUNNING").write(folder)
    row = row_of(services, folder)
    assert (row.status, row.engine, row.flower_id) == ("completed", "slurm", str(RUN))
    assert row.job["state"] == "RUNNING"
    services.discovery.refresh_if_changed()
    SlurmJob(NUMBER, "log", "COMPLETED").write(folder)
    services.discovery.refresh_if_changed()
    assert services.queue.find(folder.name).job["state"] == "COMPLETED"
    before = client.get("/api/v1/runs", headers=admin).json()
    services.discovery.rebuild()
    services.discovery.refresh()
    assert client.get("/api/v1/runs", headers=admin).json() == before


def test_a_folder_that_is_seen_before_its_request_says_so_is_no_second_run(
    client: TestClient, admin: dict[str, str], services: Services, results: Path
) -> None:
    """Files of another machine come in any order."""
    folder = begin(services, client, admin, results / "log")
    write_run(results, RUN, status="completed", engine="ray")
    services.discovery.refresh()
    assert len(client.get("/api/v1/runs", headers=admin).json()["runs"]) == 3
    (folder / RUN_ID).write_text(str(RUN))
    assert row_of(services, folder).status == "completed"
    assert len(client.get("/api/v1/runs", headers=admin).json()["runs"]) == 2


def test_a_job_that_nobody_follows_is_followed_anew(
    client: TestClient, admin: dict[str, str], services: Services, start: mock.Mock
) -> None:
    """Whatever was killed; it hasn't failed by that."""
    folder = begin(services, client, admin, Path("log"))
    (folder / "process.json").write_text(json.dumps(GONE))
    assert row_of(services, folder).status == "starting"
    start.reset_mock()
    services.queue.start_next()
    assert [call.args[0] for call in start.call_args_list] == [folder]
    (folder / ERROR).write_text("SLURM job 42: TIMEOUT (TimeLimit); its log ends:\nround 1")
    row = row_of(services, folder)
    assert (row.status, row.reason.splitlines()[1]) == ("failed", "round 1")
    start.reset_mock()
    services.queue.start_next()
    start.assert_not_called()


def test_a_job_is_asked_for_on_the_form(client: TestClient, services: Services) -> None:
    """Empty fields ask for nothing; the form of one like it has what that one asked for."""
    sign_in(client, services)
    fields = {"engine": "slurm", "bakeries": "3", "job-nodes": "2", "job-mem": "16G"}
    answer = send(client, "/runs/new", **fields, **{"job-time": "", "job-gpus": " "})
    row = services.queue.find(answer.url.path.rpartition("/")[2])
    request = services.queue.request(row)
    assert request is not None
    assert (request.engine, dict(request.job)) == ("slurm", {"nodes": 2, "mem": "16G"})
    again = client.get(f"/runs/new?like={row.id}").text
    assert re.search(r'name="job-nodes" value="2"', again)
    assert re.search(r'value="slurm" selected', again)


def test_what_is_wrong_on_the_form_comes_back(client: TestClient, services: Services) -> None:
    """With all that was typed."""
    sign_in(client, services)
    fields = {"engine": "slurm", "job-nodes": "none", "job-mem": "8GB"}
    answer = send(client, "/runs/new", **fields)
    said = unescape(answer.text)
    assert answer.status_code == 422
    assert "mem: wanted a size like 16G" in said
    assert "nodes: Input should be a valid integer" in said
    assert 'value="8GB"' in said


def test_an_interrupted_run_goes_on_at_slurm(
    client: TestClient,
    admin: dict[str, str],
    services: Services,
    run_of_command_line: Path,
    results: Path,
) -> None:
    """In a job that asks for the same."""
    sign_in(client, services)
    folder = begin(services, client, admin, Path("log"))
    (folder / RUN_ID).write_text(run_of_command_line.name.rpartition("-")[2])
    path = results / run_of_command_line.name / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"status": "failed"}))
    assert row_of(services, folder).status == "failed"
    answer = send(client, f"/runs/{folder.name}/resume")
    again = services.queue.request(services.queue.find(answer.url.path.rpartition("/")[2]))
    assert again is not None
    assert (again.engine, dict(again.job)) == ("slurm", ASKED["job"])
    assert again.settings["resume"] == str(path.parent)
