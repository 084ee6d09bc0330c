"""The folder of `glean dev`: one at a time, begun anew; what a killed one left behind is ended."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glean.errors import FederationError

LOCK = "glean-dev.lock"
"""By this file in it a folder is known to be ours to empty."""


@contextmanager
def own_folder(folder: Path) -> Iterator[Path]:
    """Have a folder for oneself, empty, until the end of the body; what is in it then stays.

    Parameters
    ----------
    folder : Path
        Made, where it isn't there.

    Raises
    ------
    FederationError
        There is something else in it, or another one uses it.
    """
    if folder.exists() and not (folder / LOCK).exists() and any(folder.iterdir()):
        raise FederationError(
            f"{folder}: found files of others; wanted a new folder, or one of an earlier glean dev"
        )
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FederationError(
                f"{folder}: another glean dev uses it; end that by Ctrl-C, or take another folder "
                "by --folder"
            ) from None
        yield folder
    finally:
        os.close(descriptor)


def empty(folder: Path) -> None:
    """Delete all that an earlier one kept."""
    for path in folder.iterdir():
        if path.name != LOCK:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
