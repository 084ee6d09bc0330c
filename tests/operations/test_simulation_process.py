"""A simulation as a process of its own: followed, stopped, killed; nothing is left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pandas as pd
import psutil
import pytest

from glean.demand import conclusion
from glean.errors import FederationError
from glean.operations.running.progress import RunProgress
from glean.operations.running.simulation import (
    Engine,
    PreparedSimulation,
    prepare_simulation,
    run_simulation,
)
from glean.operations.running.simulation_process import SimulationProcess
from glean.operations.running.simulation_worker import read_request, write_request
from glean.runs.index import COMPLETED, FAILED, GONE, RUNNING
from glean.settings import ConfigValue
from tests import processes
from tests.processes import REPOSITORY

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("nothing_left"),
    pytest.mark.skipif(sys.platform == "win32", reason="signals and sessions are POSIX's"),
]

ENDLESS = 1000
"""Rounds that nobody waits for."""


def prepared(
    sales: str, results: Path, *, rounds: int = 2, engine: Engine = "inprocess"
) -> PreparedSimulation:
    given: dict[str, ConfigValue] = {
        "sales": sales,
        "num-server-rounds": rounds,
        "max-depth": 2,
        "test-days": 14,
        "validation-days": 14,
        "early-stopping-rounds": 0,
        "baselines": False,
    }
    return prepare_simulation(given, engine=engine, results=results)


def after_a_round(process: SimulationProcess) -> RunProgress:
    """Follow a run until a round is finished."""
    return next(progress for progress in process.follow_progress() if progress.rounds_done)


@pytest.fixture(autouse=True)
def _path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))


def test_what_shall_be_run_survives_its_file(tmp_path: Path, three_bakeries: str) -> None:
    """Overrides, profile and folder come out as they went in."""
    simulation = prepared(three_bakeries, tmp_path / "results")
    simulation = replace(
        simulation, simulation=replace(simulation.simulation, profile={"a-key": 0.5})
    )
    write_request(tmp_path, simulation)
    assert read_request(tmp_path) == simulation


def test_a_run_is_followed_to_its_end(tmp_path: Path, three_bakeries: str) -> None:
    """Its progress only grows; its model is that of the same run in this process."""
    with SimulationProcess(prepared(three_bakeries, tmp_path / "there")) as process:
        seen = list(process.follow_progress())
        result = process.result()
        assert not process.running()
    assert process.result() == result == seen[-1]
    assert (result.status, result.reason, result.fraction) == (COMPLETED, "", 1.0)
    assert (result.rounds_done, result.rounds, len(result.bakeries)) == (2, 2, 3)
    assert [p.fraction for p in seen] == sorted(p.fraction for p in seen)
    rounds = pd.read_csv(result.folder / "rounds.csv")
    assert result.last_score == pytest.approx(rounds["wape"].iloc[-1])
    with mock.patch.object(conclusion, "write_report"):
        here = run_simulation(prepared(three_bakeries, tmp_path / "here"), lambda _: None)
    assert (here / "model.ubj").read_bytes() == (result.folder / "model.ubj").read_bytes()


def test_a_stopped_run_says_so_in_its_folder(tmp_path: Path, three_bakeries: str) -> None:
    """It had time to; stopping once more changes nothing, and nobody is left to follow."""
    process = SimulationProcess(prepared(three_bakeries, tmp_path, rounds=ENDLESS))
    assert after_a_round(process).status == RUNNING
    pid = process.pid
    process.stop()
    assert not psutil.pid_exists(pid)
    result = process.result()
    assert (result.status, result.reason) == (FAILED, "interrupted")
    assert 0 < result.fraction < 1
    assert list(process.follow_progress()) == []
    process.stop()
    assert process.result() == result


def test_two_runs_at_once_do_not_mix(tmp_path: Path, three_bakeries: str) -> None:
    """Each in a process of its own, into the same folder of results."""
    wanted = [ENDLESS, ENDLESS + 1]
    both = [SimulationProcess(prepared(three_bakeries, tmp_path, rounds=k)) for k in wanted]
    try:
        seen = [after_a_round(process) for process in both]
    finally:
        for process in both:
            process.stop()
    assert [progress.rounds for progress in seen] == wanted
    assert [process.result().folder for process in both] == [p.folder for p in seen]
    assert len({progress.folder for progress in seen}) == 2


def test_a_killed_run_is_told_as_failed(tmp_path: Path, three_bakeries: str) -> None:
    """It couldn't say so itself."""
    with SimulationProcess(prepared(three_bakeries, tmp_path, rounds=ENDLESS)) as process:
        after_a_round(process)
        os.kill(process.pid, signal.SIGKILL)
        *_, last = process.follow_progress()
        assert (last.status, last.reason) == (FAILED, GONE)
        assert process.result() == last


def test_a_run_that_can_not_begin_says_why(tmp_path: Path, three_bakeries: str) -> None:
    """It has no folder to say it in."""
    (tmp_path / "taken").write_text("a file")
    with SimulationProcess(prepared(three_bakeries, tmp_path / "taken")) as process:
        assert list(process.follow_progress()) == []
        with pytest.raises(FederationError, match="can't write results to"):
            process.result()
    with pytest.raises(FederationError, match="can't write results to"):
        process.result()


def test_a_process_that_dies_without_a_word_has_a_log(tmp_path: Path, three_bakeries: str) -> None:
    """Its end is told."""
    with SimulationProcess(prepared(three_bakeries, tmp_path)) as process:
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(FederationError, match="ended before its run began; its log ends"):
            process.result()


KILLED = """
import os, signal, sys
from pathlib import Path
from glean.operations.running.simulation_process import SimulationProcess
from tests.operations.test_simulation_process import ENDLESS, after_a_round, prepared

process = SimulationProcess(prepared(sys.argv[1], Path(sys.argv[2]), rounds=ENDLESS))
after_a_round(process)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_it_ends_when_who_started_it_is_killed(tmp_path: Path, three_bakeries: str) -> None:
    """Nothing is left, see the fixture."""
    before = processes.descendants()  # what earlier tests' pools keep
    command = [sys.executable, "-c", KILLED, three_bakeries, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not processes.survivors(before)


@pytest.mark.long
def test_a_stopped_run_on_ray_leaves_nothing(tmp_path: Path, three_bakeries: str) -> None:
    """Neither Flower's processes nor Ray's; its folder says how it ended."""
    before = processes.descendants()  # what earlier tests' pools keep
    wanted = prepared(three_bakeries, tmp_path, rounds=ENDLESS, engine="ray")
    with SimulationProcess(wanted) as process:
        after_a_round(process)
    result = process.result()
    assert (result.status, result.reason) == (FAILED, "interrupted")
    assert (result.folder / "superlink.log").is_file()
    assert not processes.survivors(before, limit_s=2.0)
