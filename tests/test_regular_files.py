"""Files that a person names: pipes and devices are refused, and paths that lead nowhere said so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from glean.errors import GleanError
from glean.regular_files import MOST_BYTES, absolute_path, read_regular


def test_a_file_is_read_also_through_a_link(tmp_path: Path) -> None:
    """A link to a regular file is one."""
    (tmp_path / "table.csv").write_bytes(b"date\n")
    (tmp_path / "link.csv").symlink_to("table.csv")
    assert read_regular(tmp_path / "link.csv") == b"date\n"


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="wants Unix's devices")
def test_a_device_is_not_read() -> None:
    """It never ends, and would fill the memory."""
    with pytest.raises(OSError, match="a device, not a file"):
        read_regular(Path("/dev/zero"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="wants named pipes")
@pytest.mark.timeout(20)
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """Nobody may ever write into it."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="a pipe, not a file"):
        read_regular(tmp_path / "pipe")


def test_a_file_beyond_any_table_is_not_read(tmp_path: Path) -> None:
    """It takes no room on the disk, and would in memory."""
    with (tmp_path / "sparse.csv").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(OSError, match="larger than 1,024 MB"):
        read_regular(tmp_path / "sparse.csv")


def test_links_in_a_circle_are_said_to_be_so(tmp_path: Path) -> None:
    """Where Python doesn't say so itself (from 3.13 on), the path stays one that can't be read."""
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    try:
        found = absolute_path(tmp_path / "one")
    except GleanError as error:
        assert "point at each other in a circle" in str(error)  # noqa: PT017 - by Python's version
    else:
        with pytest.raises(OSError, match="symbolic links"):
            read_regular(found)


def test_a_relative_path_in_a_deleted_folder_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what to do next."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(GleanError, match=r"found no working directory.*try again"):
        absolute_path(Path("sales.csv"))
