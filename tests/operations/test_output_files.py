"""Files that a command writes: what can't be one is refused, and what was there stays."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from glean.errors import GleanError
from glean.operations.output_files import check_outputs, write_outputs


def test_files_are_written_and_replaced(tmp_path: Path) -> None:
    """A link to a file elsewhere stays one."""
    page, table = tmp_path / "plan.html", tmp_path / "plan.csv"
    (tmp_path / "real.csv").write_text("old")
    table.symlink_to("real.csv")
    write_outputs({page: "<p>ä", table: "product\n"})
    assert (page.read_bytes(), table.is_symlink()) == ("<p>ä".encode(), True)
    assert (tmp_path / "real.csv").read_text() == "product\n"


def test_what_can_not_become_a_file_is_refused(tmp_path: Path) -> None:
    """A folder, a place below none or below a file, a pipe: each with its name and the reason."""
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    for name, why in {
        ".": "a folder is there; name a file in it",
        "nowhere/plan.html": "No such file or directory",
        "file/plan.html": "Not a directory|is no folder",
        "pipe": "what is there is no file",
    }.items():
        with pytest.raises(GleanError, match=rf"--out .* can't be written: .*({why})"):
            check_outputs(tmp_path / name)


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No half of a new one, and no scrap beside it."""

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    page = tmp_path / "plan.html"
    page.write_text("yesterday's")
    monkeypatch.setattr("glean.runs.folder.os.fsync", full)
    with pytest.raises(GleanError, match=r"plan\.html can't be written: No space left.*make room"):
        write_outputs({page: "today's"})
    assert page.read_text() == "yesterday's"
    assert [path.name for path in tmp_path.iterdir()] == ["plan.html"]


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="wants Linux's /dev/full")
def test_a_device_is_written_to_and_not_replaced() -> None:
    """`/dev/full` says that it is full, and stays a device."""
    with pytest.raises(GleanError, match="/dev/full can't be written: No space left"):
        write_outputs({Path("/dev/full"): "a page"})
    assert Path("/dev/full").is_char_device()
