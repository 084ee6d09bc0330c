"""The progress bar of `glean simulate`, fed with the lines of an `events.jsonl`."""

from __future__ import annotations

from pathlib import Path

import pytest

from glean.cli.progress import following
from glean.runs.events import (
    BakeryFailed,
    BakeryJoined,
    BakeryMissing,
    BakeryReturned,
    RoundFinished,
    RunFinished,
    RunStarted,
    WaitingForBakeries,
)
from glean.runs.folder import RunFolder
from glean.runs.phase_events import Phase, PhaseStarted
from glean.runs.setback_events import SumLost, TreesGivenUp


def test_it_tells_who_comes_and_goes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each event of a bakery, as the run's own log has it; one for each round."""
    folder = RunFolder.create(tmp_path, run_id=7)
    with following(tmp_path, 2) as started:
        started(7)
        for event in (
            PhaseStarted(Phase.REGISTRATION),
            WaitingForBakeries(0, 1, 2, {}),
            RunStarted(("Anna", "[Bruno]"), 2),
            BakeryFailed(1, "[Bruno]", "no reply"),
            BakeryMissing(1, "[Bruno]", "", 61.2),
            SumLost(1, "2 of 3 are left"),
            TreesGivenUp(1, "counts don't add up"),
            RoundFinished(1, 2, 2, 0, {"wape": 0.25, "mae": 3.0}),
            BakeryReturned(2, "[Bruno]", 90.0),
            BakeryJoined(2, "Cleo"),
            RoundFinished(2, 2, 2, 0, {"wape": None}, epsilon=1.5),
            RunFinished("completed", ""),
        ):
            folder.append_event(event)
    lines = [line.strip() for line in capsys.readouterr().err.splitlines()]
    told = [line for line in lines if line and "━" not in line]
    assert told == [
        "Waiting for the bakeries to report.",
        "waiting for bakeries: 1 of 2",
        "[Bruno]: no reply",
        "[Bruno] is missing; last heard of 61 s ago",
        "a secure sum is lost, those who are left go on: 2 of 3 are left",
        "trees are given up and grown anew: counts don't add up",
        "round 1: validation WAPE 0.250",
        "[Bruno] is back after 90 s",
        "Cleo has joined",
        "round 2: not scored, epsilon 1.500 spent",
    ]
