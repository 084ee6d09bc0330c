"""What a job runs: a request, once, in the job that it was submitted as; what it leaves behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from glean.errors import GleanError
from glean.federation.launch.simulation_run import Simulation
from glean.operations.running import slurm_worker
from glean.operations.running.detached_run import RUN_ID, claim, read_detached
from glean.operations.running.run_request import RunRequest, prepare_request
from glean.operations.running.simulation import PreparedSimulation
from glean.operations.slurm.slurm_job import STOP, SlurmJob
from glean.runs.events import RunStarted
from glean.runs.folder import RunFolder
from glean.runs.process_tree import this_process
from tests.fake_slurm import NUMBER, write_run

RUN = 77


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of a request whose job this process is."""
    monkeypatch.setenv("SLURM_JOB_ID", str(NUMBER))
    monkeypatch.setattr(slurm_worker, "KNOWN_LIMIT_S", 0.0)
    folder = tmp_path / "r1"
    RunRequest(engine="slurm", results=str(tmp_path), job={"gpus": "1"}).write(folder)
    claim(folder, this_process())
    SlurmJob(NUMBER, str(tmp_path / "log")).write(folder)
    return folder


def running(tmp_path: Path, status: str, during: Callable[[], None] = lambda: None) -> Any:
    """Stand in for what is run: it begins, and ends so."""
    prepared = PreparedSimulation(Simulation(1, {}, tmp_path), "ray", 1)

    def run(_: object, started: Callable[[int], None]) -> Path:
        started(RUN)
        folder = write_run(tmp_path, RUN, status=status, reason="too few bakeries")
        RunFolder(folder).append_event(RunStarted(bakeries=("A", "B"), rounds=3))
        during()
        return folder

    return mock.patch.multiple(slurm_worker, prepare_request=lambda _: prepared, run_simulation=run)


@pytest.mark.parametrize(("status", "code"), [("completed", 0), ("failed", 1)])
def test_the_run_s_id_stands_beside_the_request(
    asked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], status: str, code: int
) -> None:
    """And in the job's log what happens; the job ends as the run does."""
    with running(tmp_path, status):
        assert slurm_worker.main(asked) == code
    assert (read_detached(asked).run_id, read_detached(asked).error) == (RUN, "")
    out = capsys.readouterr().out
    assert "2 bakeries, 3 rounds" in out
    assert ("the run failed: too few bakeries" in out) == bool(code)


def test_what_keeps_it_from_running_stands_beside_the_request(
    asked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And in the log."""
    with mock.patch.object(slurm_worker, "prepare_request", side_effect=GleanError("no table")):
        assert slurm_worker.main(asked) == 1
    assert read_detached(asked).error == "no table"
    assert capsys.readouterr().out == "the run failed: no table\n"


@pytest.mark.parametrize("stopped", [True, False])
def test_slurm_s_end_is_told_by_who_wanted_it(asked: Path, tmp_path: Path, stopped: bool) -> None:
    """SIGTERM comes at a scancel, ours or another's, and at the time limit, and often twice."""

    def end() -> None:
        if stopped:
            (asked / STOP).touch()
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    with running(tmp_path, "running", end):
        assert slurm_worker.main(asked) == 1
    told = read_detached(asked).error
    assert told == ("interrupted" if stopped else told)
    assert stopped or "SLURM ended its job" in told
    assert signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN


@pytest.mark.parametrize("number", [None, NUMBER + 1])
def test_a_job_that_nobody_waits_for_ends(
    asked: Path, tmp_path: Path, number: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever submitted it was killed, or submitted another; the request stays as it is."""
    (asked / "job.json").unlink()
    if number is not None:
        SlurmJob(number, "").write(asked)
    with running(tmp_path, "completed"):
        assert slurm_worker.main(asked) == 1
    assert "nobody waits for job 42" in capsys.readouterr().out
    assert (read_detached(asked).run_id, read_detached(asked).error) == (None, "")


def test_a_request_is_run_once(asked: Path, tmp_path: Path) -> None:
    """SLURM may begin a job anew, where whoever runs the cluster says so."""
    (asked / RUN_ID).write_text("12")
    with running(tmp_path, "completed"):
        assert slurm_worker.main(asked) == 1
    assert read_detached(asked).run_id == 12


def test_a_job_uses_what_its_cluster_gave(asked: Path) -> None:
    """On Ray, with a share of its GPUs for each bakery."""
    prepared = prepare_request(RunRequest.read(asked))
    assert isinstance(prepared, PreparedSimulation)
    assert (prepared.engine, prepared.simulation.results) == ("ray", asked.parent)
    assert prepared.simulation.profile["client-resources-num-gpus"] == 0.2
