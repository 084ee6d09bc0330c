"""Whatever a stranger sends or a disk holds: an error in words, no crash and no hang."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import fuzzing
from tests.processes import REPOSITORY


def test_a_few_hundred_damaged_updates_names_and_files(tmp_path: Path) -> None:
    """A small, seeded part of the long run below."""
    assert fuzzing.fuzz(fuzzing.updates(), 600, seed=11) == []
    assert fuzzing.fuzz(fuzzing.files(tmp_path), 160, seed=12) == []


def test_every_example_is_taken(tmp_path: Path) -> None:
    """Undamaged bytes pass, so that damage is what the readers look at."""
    for target in (*fuzzing.updates(), *fuzzing.files(tmp_path)):
        target.read(target.example)


def test_what_goes_wrong_is_found() -> None:
    """A reader that isn't careful is caught."""
    careless = fuzzing.Target("careless", b"12", int)
    assert fuzzing.fuzz([careless], 50, seed=1)


@pytest.mark.long
def test_ten_thousand_updates_and_two_thousand_names_and_files() -> None:
    """In a process of their own: whatever it is, it ends by itself, below a gigabyte."""
    command = [sys.executable, "-m", "tests.fuzzing", "10000", "2000"]
    done = subprocess.run(
        command, check=False, cwd=REPOSITORY, capture_output=True, text=True, timeout=1200
    )
    assert done.returncode == 0, done.stdout + done.stderr
