"""A disk that fills up while a run goes on: the run says so, and its folder too."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from glean.runs.folder import RESERVE, RunFolder
from tests.cli.typed_commands import events_of, facts_of, glean, simulate

pytestmark = pytest.mark.usefixtures("elsewhere", "undrawn")

FULL = "No space left on device"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, of a megabyte."""
    mount, disk = shutil.which("mount"), tmp_path / "disk"
    disk.mkdir()
    words = [mount or "mount", "-t", "tmpfs", "-o", "size=1m", "glean", str(disk)]
    if mount is None or os.geteuid() != 0 or subprocess.run(words, check=False).returncode:
        pytest.skip("only root may mount a disk, and not in every container")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def fill(disk: Path) -> None:
    """Leave no byte free."""
    with suppress(OSError), (disk / "others").open("ab", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


@pytest.mark.parametrize("step", ["append_round", "append_event"])
def test_a_run_on_a_full_disk_fails_with_the_reason(
    step: str, small_disk: Path, three_bakeries: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the terminal, in `run.json` and in the report; what was there before is whole."""
    honest = getattr(RunFolder, step)

    def once_full(*arguments: Any) -> None:
        if RESERVE in os.listdir(arguments[0].path):  # noqa: PTH208 - names are enough
            fill(small_disk)
        honest(*arguments)

    monkeypatch.setattr(RunFolder, step, once_full)
    result = simulate("--sales", three_bakeries, "--out", small_disk / "results")
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit)
    assert FULL in result.stderr
    folder = next((small_disk / "results").glob("*-*"))
    facts = facts_of(folder)
    assert facts["status"] == "failed"
    assert FULL in facts["reason"]
    assert events_of(folder)[-1]["status"] == "failed"
    assert not [path for path in folder.rglob(".*") if path.is_file()]


def test_a_run_that_can_not_even_begin_says_so(small_disk: Path, three_bakeries: str) -> None:
    """With exit code 1 and the folder's name."""
    fill(small_disk)
    result = simulate("--sales", three_bakeries, "--out", small_disk / "results")
    assert result.exit_code == 1, result.output
    assert f"can't write results to {small_disk}" in result.stderr
    assert FULL in result.stderr


def test_a_report_that_can_not_be_written_is_one_line(
    small_disk: Path, three_bakeries: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run stays as complete as it was."""
    assert simulate("--sales", three_bakeries, "--out", small_disk / "results").exit_code == 0
    folder = next((small_disk / "results").glob("*-*"))
    fill(small_disk)
    monkeypatch.undo()
    result = glean("report", folder, "--no-growth")
    assert result.exit_code == 2, result.output
    assert FULL in result.stderr
    assert facts_of(folder)["status"] == "completed"
