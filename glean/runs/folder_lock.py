"""Who works on a run's folder beside the run: one at a time, of all processes that see it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def folder_lock(folder: Path, file: str, *, wait: bool) -> Iterator[bool]:
    """Be the only one for the time of the body.

    Parameters
    ----------
    folder : Path
        The folder, which is there.
    file : str
        Hidden file in it that is locked; each kind of work has its own.
    wait : bool
        Whether to wait for somebody else who has it. Otherwise the body hears False then.
    """
    descriptor = os.open(folder / file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)
