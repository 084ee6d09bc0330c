"""`glean shop` in a process of its own, over a home and a table."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import processes
from tests.processes import REPOSITORY

MARK = "the bakery's page: "


@contextmanager
def shop_process(home: Path, *words: str) -> Iterator[str]:
    """Run it on a free port, ended at the end of the body; gives its address."""
    env = processes.environment(home.parent / "flower", PYTHONPATH=str(REPOSITORY))
    process = subprocess.Popen(
        [sys.executable, "-m", "glean", "shop", str(home), "--port", "0", *words],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        lines = iter(process.stderr)
        yield next(line for line in lines if line.startswith(MARK)).removeprefix(MARK).strip()
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
