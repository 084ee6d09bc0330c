"""Files that a command writes where the user wants them: refused before any work, written whole."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from glean.errors import GleanError
from glean.regular_files import absolute_path, words_of
from glean.runs.folder import write_whole


def check_outputs(*paths: Path, option: str = "--out") -> None:
    """Refuse paths that can't become files, before any work is done.

    Parameters
    ----------
    *paths : Path
        Where files are wanted.
    option : str
        By which option, for messages.

    Raises
    ------
    GleanError
        One is a folder, a pipe or a circle of links, or its folder isn't there.
    """
    for path in paths:
        place = absolute_path(path)
        try:
            folder, mode = place.parent.stat().st_mode, _mode(place)
        except OSError as error:
            raise _unwritable(option, path, f"{words_of(error)}; make the folder") from None
        if not stat.S_ISDIR(folder):
            raise _unwritable(option, path, f"{place.parent} is no folder; make one")
        if not os.access(place if stat.S_ISCHR(mode) else place.parent, os.W_OK):
            raise _unwritable(option, path, "you may not write there; get leave")
        if stat.S_ISDIR(mode):
            raise _unwritable(option, path, "a folder is there; name a file in it")
        if mode and not (stat.S_ISREG(mode) or stat.S_ISCHR(mode)):
            raise _unwritable(option, path, "what is there is no file; move it away")


def write_outputs(texts: Mapping[Path, str], *, option: str = "--out") -> None:
    """Write files one after the other, each whole: where one fails, its old content stays.

    Parameters
    ----------
    texts : mapping of Path to str
        Where each is wanted, and what goes there.
    option : str
        By which option, for messages.

    Raises
    ------
    GleanError
        One can't be written.
    """
    check_outputs(*texts, option=option)
    for path, text in texts.items():
        place = absolute_path(path)
        try:
            if stat.S_ISCHR(_mode(place)):
                place.write_bytes(text.encode())  # a terminal or the like, not to be replaced
            else:
                write_whole(place, text.encode())
        except OSError as error:
            why = error.strerror or str(error)
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise _unwritable(option, path, f"{why}; make room there" if full else why) from None


def _mode(path: Path) -> int:
    """Kind and rights of what is at a path; 0 where nothing is."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return 0


def _unwritable(option: str, path: Path, why: str) -> GleanError:
    return GleanError(f"{option} {path} can't be written: {why}, or choose another place")
