"""`glean worker` in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import processes
from tests.processes import REPOSITORY
from tests.service.databases import url_for

_SHORT_LEASE = """
import sys
from pathlib import Path
from glean.broker.broker_url import BrokerUrl
from glean.runs.log_lines import log_to
from glean.service.worker.opening import run_worker
from glean.service.worker.settings import WorkerSettings

log_to("stderr")
results, database, name, lease_s, url, storage = sys.argv[1:]
broker = BrokerUrl(url) if url else None
settings = WorkerSettings(database, Path(results), name, float(lease_s), broker, storage)
run_worker(settings, lambda: None)
"""
"""What the command does, with a shorter lease than it takes: a test waits for its end."""


@contextmanager
def working(
    folder: Path,
    name: str,
    *,
    lease_s: float = 4.0,
    database: str = "",
    results: Path | None = None,
    broker: str = "",
    storage: str = "",
) -> Iterator[subprocess.Popen[bytes]]:
    """A worker of the service that is served over a folder, ended at the end of the body.

    With `storage` it has a folder of results of its own.
    """
    there = folder / "results"
    home = there / ".service"
    url = database or url_for(home) or f"sqlite:///{home}/service.db"
    words = [results or there, url, name, lease_s, broker, storage]
    with (folder / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", _SHORT_LEASE, *map(str, words)],
            cwd=folder,
            env=processes.environment(folder / "flower", PYTHONPATH=str(REPOSITORY)),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)
