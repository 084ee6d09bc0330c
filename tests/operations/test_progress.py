"""How far a run is, by its folder: while it goes on, at its end, and after it was killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from glean.operations.running.progress import read_progress
from glean.runs.events import BakeryFailed, RoundFinished, RunStarted
from glean.runs.index import COMPLETED, FAILED, GONE, RUNNING
from glean.runs.record import RunRecord


@pytest.fixture
def record(tmp_path: Path) -> RunRecord:
    """A run of this process that has just begun."""
    return RunRecord.begin({"output-dir": str(tmp_path)}, run_id=7, engine="inprocess")


def finished(number: int, score: float | None) -> RoundFinished:
    return RoundFinished(number, 2, 2, 0, {"wape": score, "mae": 7.0})


def test_a_run_that_begins_has_done_nothing(record: RunRecord) -> None:
    """No bakery is known, and no round."""
    progress = read_progress(record.folder.path)
    assert (progress.status, progress.reason, progress.fraction) == (RUNNING, "", 0.0)
    assert (progress.bakeries, progress.rounds, progress.last_score) == ((), 0, None)


def test_rounds_scores_and_failures_are_read_as_they_come(record: RunRecord) -> None:
    """A round without a score leaves the last one; the fraction is that of the rounds."""
    folder = record.folder
    folder.append_event(RunStarted(("Anna", "Bruno"), 4))
    folder.append_event(finished(1, 0.25))
    folder.append_event(BakeryFailed(2, "Bruno", "no reply"))
    folder.append_event(finished(2, None))
    progress = read_progress(folder.path)
    assert progress.bakeries == ("Anna", "Bruno")
    assert (progress.rounds_done, progress.rounds, progress.fraction) == (2, 4, 0.5)
    assert progress.last_score == 0.25
    assert progress.failures == (BakeryFailed(2, "Bruno", "no reply"),)
    record.end("completed")
    ended = read_progress(folder.path)
    assert (ended.status, ended.fraction) == (COMPLETED, 1.0)


def test_a_failed_run_says_why(record: RunRecord) -> None:
    """By its own word; what it has done stays done."""
    record.folder.append_event(RunStarted(("Anna",), 2))
    record.folder.append_event(finished(1, 0.25))
    record.end("failed", reason="the oven is cold")
    progress = read_progress(record.folder.path)
    assert (progress.status, progress.reason) == (FAILED, "the oven is cold")
    assert progress.fraction == 0.5


@pytest.mark.parametrize("change", [{"began": 1.0}, {"pid": 2**22 + 1}])
def test_a_run_whose_process_has_gone_has_failed(
    change: dict[str, float], record: RunRecord
) -> None:
    """It was killed before it could say so."""
    record.note(process={**record.content["process"], **change})
    progress = read_progress(record.folder.path)
    assert (progress.status, progress.reason) == (FAILED, GONE)


def test_of_another_machine_s_process_nobody_knows(record: RunRecord) -> None:
    """It may go on."""
    record.note(process={"host": "elsewhere", "pid": 1, "began": 1.0})
    assert read_progress(record.folder.path).status == RUNNING
