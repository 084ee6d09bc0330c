"""A process of our own beside this one, in a session of its own, that prints into a log."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def start_worker(module: str, folder: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start `python -m MODULE FOLDER`.

    Parameters
    ----------
    module : str
        Dotted name of a module of Glean's.
    folder : Path
        What it works on.
    log : Path
        File that it prints into, after what stands there.

    Raises
    ------
    OSError
        The log can't be written, or there is no process to be had.
    """
    with log.open("ab") as out:
        return subprocess.Popen(  # noqa: S603 # nosec B603 # our own words
            [sys.executable, "-m", module, str(folder)],
            env={"OMP_NUM_THREADS": "1", **os.environ},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
