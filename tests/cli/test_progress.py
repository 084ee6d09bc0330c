"""The progress bar of `glean simulate`, fed with the lines of an `events.jsonl`."""

from __future__ import annotations

from pathlib import Path

import pytest

from glean.cli.progress import following
from glean.runs.folder import RunFolder


def test_it_tells_who_comes_and_goes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each event of a bakery, as the run's own log has it; one for each round."""
    folder = RunFolder.create(tmp_path, run_id=7)
    with following(tmp_path, 2) as started:
        started(7)
        folder.append_event("waiting_for_bakeries", present=1, wanted=2, missing={})
        folder.append_event("run_started", bakeries=["Anna", "[Bruno]"], rounds=2)
        folder.append_event("bakery_failed", round=1, bakery="[Bruno]", reason="no reply")
        folder.append_event("bakery_missing", round=1, bakery="[Bruno]", seconds=61.2, since="")
        folder.append_event("round_finished", round=1, wape=0.25)
        folder.append_event("bakery_returned", round=2, bakery="[Bruno]", seconds=90.0)
        folder.append_event("bakery_joined", round=2, bakery="Cleo")
        folder.append_event("round_finished", round=2, wape=None)
    lines = [line.strip() for line in capsys.readouterr().err.splitlines()]
    told = [line for line in lines if ":" in line and "━" not in line]
    assert told == [
        "waiting for bakeries: 1 of 2",
        "[Bruno]: no reply",
        "[Bruno]: missing; last heard of 61 s ago",
        "round 1: validation WAPE 0.250",
        "[Bruno]: is back after 90 s",
        "Cleo: has joined",
        "round 2:",
    ]
