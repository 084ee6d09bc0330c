"""A deployment's run that is cut off from outside goes on by itself; any other has ended."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from glean.errors import FederationError
from glean.federation.launch.deployment_run import STOPPED, RunOutcome, flwr_cli_of
from glean.federation.launch.flwr_cli import SuperLinkGoneError, UnknownRunError
from glean.operations.running import cut_off_deployment, superlink_run
from glean.operations.running.cut_off_deployment import GOES_ON, MOST_RESUMES
from glean.operations.running.superlink_run import PreparedDeployment, run_deployment
from glean.runs.folder import RunFolder
from glean.runs.index import read_run
from glean.runs.process_tree import this_process
from tests.processes import free_port

Ending = Callable[[RunOutcome, Path], None]
LOST = "the SuperLink doesn't answer"


class Deployment:
    """Stands in for a SuperLink: each run ends as the next of `endings` says."""

    def __init__(self, results: Path, *endings: Ending, home: Path | None = None) -> None:
        self.results = results
        self.endings = list(endings)
        self.home = home
        self.gone = 0
        self.known = False
        self.submitted: list[dict[str, Any]] = []

    def submit(self, prepared: PreparedDeployment, _scratch: Path) -> int:
        if self.gone:
            self.gone -= 1
            raise SuperLinkGoneError(LOST)
        self.submitted.append(dict(prepared.overrides))
        return len(self.submitted)

    def watch(self, _cli: object, run_id: int, *_: object, outcome: RunOutcome) -> None:
        folder = self.results / f"20261130T050000Z-{run_id}"
        (folder / "models").mkdir(parents=True)
        (folder / "models" / "round_0001.ubj").touch()
        gone = {**this_process(), "began": 0.0}
        RunFolder(folder).write_run({"id": run_id, "status": "running", "process": gone})
        outcome.results = folder
        self.endings.pop(0)(outcome, folder)

    def cli(self, *_: object) -> mock.Mock:
        unknown = None if self.known else FederationError("no such run")
        return mock.Mock(status=mock.Mock(side_effect=unknown, return_value="running"))

    def run(self, tmp_path: Path) -> tuple[RunOutcome, list[str]]:
        outcome, said = RunOutcome(), list[str]()
        prepared = PreparedDeployment("bakeries", {"seed": 3, "round-timeout-s": 9}, self.home)
        with (
            mock.patch.object(superlink_run, "_submit", self.submit),
            mock.patch.object(superlink_run, "follow_run", self.watch),
            mock.patch.object(superlink_run, "await_superlink"),
            mock.patch.object(superlink_run, "flwr_cli_of", self.cli),
            mock.patch.object(cut_off_deployment, "deployment_overrides", dict),
        ):
            run_deployment(
                prepared, tmp_path, started=lambda _: None, say=said.append, outcome=outcome
            )
        return outcome, said


def completed(outcome: RunOutcome, _: Path) -> None:
    outcome.completed = True


def lost(_outcome: RunOutcome, _: Path) -> None:
    raise FederationError(LOST)


def unknown(outcome: RunOutcome, _: Path) -> None:
    outcome.results = None
    raise SuperLinkGoneError(LOST)


def forgotten(outcome: RunOutcome, _: Path) -> None:
    outcome.results = None
    raise UnknownRunError(LOST)


def ended_for(reason: str) -> Ending:
    def end(outcome: RunOutcome, _: Path) -> None:
        outcome.reason = reason

    return end


@pytest.mark.parametrize("ending", [lost, ended_for("Flower ended it (finished:failed)")])
def test_a_run_that_is_cut_off_goes_on_from_its_checkpoint(tmp_path: Path, ending: Ending) -> None:
    """In another run, with what may differ as it was asked for; both folders and the log say so."""
    there = Deployment(tmp_path, ending, completed)
    outcome, said = there.run(tmp_path)
    assert outcome.completed
    first = tmp_path / "20261130T050000Z-1"
    assert there.submitted[1] == {"round-timeout-s": 9, "resume": str(first)}
    assert (read_run(first).status, read_run(first).reason) == ("failed", GOES_ON)
    assert any("goes on by itself" in line for line in said)


def test_a_run_without_a_round_begins_anew(tmp_path: Path) -> None:
    """As it was asked for."""

    def early(outcome: RunOutcome, folder: Path) -> None:
        (folder / "models" / "round_0001.ubj").unlink()
        lost(outcome, folder)

    there = Deployment(tmp_path, early, completed)
    there.run(tmp_path)
    assert there.submitted[1] == there.submitted[0]


@pytest.mark.parametrize("reason", [STOPPED, "no bakery came", "3 of 5 bakeries, for 600 s"])
def test_a_run_that_failed_or_was_stopped_has_ended(tmp_path: Path, reason: str) -> None:
    """Nobody is overruled."""
    there = Deployment(tmp_path, ended_for(reason))
    outcome, _ = there.run(tmp_path)
    assert (outcome.reason, len(there.submitted)) == (reason, 1)


def test_a_run_that_is_cut_off_again_and_again_is_given_up(tmp_path: Path) -> None:
    """What kills it is its own then."""
    there = Deployment(tmp_path, *[lost] * (MOST_RESUMES + 1))
    with pytest.raises(FederationError, match=LOST):
        there.run(tmp_path)
    assert len(there.submitted) == MOST_RESUMES + 1


def test_a_run_whose_process_goes_on_isn_t_started_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only its log couldn't be followed."""
    monkeypatch.setattr(cut_off_deployment, "PROCESS_LIMIT_S", 0.0)

    def out_of_sight(_outcome: RunOutcome, folder: Path) -> None:
        own = this_process()
        assert own["pid"] == os.getpid()
        RunFolder(folder).write_run({"id": 1, "status": "running", "process": own})
        raise FederationError(LOST)

    there = Deployment(tmp_path, out_of_sight)
    with pytest.raises(FederationError, match=LOST):
        there.run(tmp_path)
    assert len(there.submitted) == 1


@pytest.mark.parametrize("ending", [unknown, forgotten])
def test_a_run_that_went_with_its_superlink_begins_anew(tmp_path: Path, ending: Ending) -> None:
    """Before its folder was known here: a service's SuperLink has forgotten it."""
    there = Deployment(tmp_path, ending, completed, home=tmp_path)
    outcome, said = there.run(tmp_path)
    assert outcome.completed
    assert there.submitted[1] == there.submitted[0]
    assert any("it begins anew" in line for line in said)


@pytest.mark.parametrize(("at_a_service", "known"), [(False, False), (True, True)])
def test_a_run_that_may_go_on_isn_t_started_twice(
    tmp_path: Path, *, at_a_service: bool, known: bool
) -> None:
    """Another SuperLink keeps its runs in a file; and one that only didn't answer has it still."""
    there = Deployment(tmp_path, unknown, home=tmp_path if at_a_service else None)
    there.known = known
    with pytest.raises(SuperLinkGoneError):
        there.run(tmp_path)
    assert len(there.submitted) == 1


def test_a_run_waits_for_a_service_s_superlink_that_has_gone(tmp_path: Path) -> None:
    """Killed while the run was handed to it."""
    there = Deployment(tmp_path, completed, home=tmp_path)
    there.gone = 2
    outcome, said = there.run(tmp_path)
    assert outcome.completed
    assert sum("once it is back" in line for line in said) == 2
    elsewhere = Deployment(tmp_path / "elsewhere", completed)
    elsewhere.gone = 1
    with pytest.raises(SuperLinkGoneError):
        elsewhere.run(tmp_path)


def test_flower_s_words_for_a_superlink_that_has_gone_are_known(tmp_path: Path) -> None:
    """Of the installed version."""
    (tmp_path / "config.toml").write_text(
        f'[superlink.bakeries]\naddress = "127.0.0.1:{free_port()}"\ninsecure = true\n'
    )
    cli = flwr_cli_of("bakeries", tmp_path, tmp_path)
    with pytest.raises(SuperLinkGoneError, match="flwr list failed"):
        cli.status(1)
