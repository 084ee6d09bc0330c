"""What somebody else says in a run's folder: how it ended, or that it came from elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from glean.errors import GleanError
from glean.runs.cut_off import forget_machine
from glean.runs.folder import RunFolder
from glean.runs.index import read_run
from glean.runs.process_tree import this_process


def test_a_copy_says_nothing_of_the_machine_it_came_from(tmp_path: Path) -> None:
    """A run that goes on there neither goes on here, nor continues a folder of there."""
    facts = {"status": "running", "process": this_process(), "resumed_from": "/there", "seed": 7}
    folder = RunFolder.create(tmp_path, run_id=5, facts=facts).path
    forget_machine(folder)
    assert read_run(folder).facts == {"status": "running", "seed": 7}
    assert not read_run(folder).gone


def test_what_is_no_run_can_t_forget_anything(tmp_path: Path) -> None:
    """It says so."""
    with pytest.raises(GleanError, match="found no run"):
        forget_machine(tmp_path)
