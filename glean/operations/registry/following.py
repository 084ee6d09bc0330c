"""A run of the command line goes to the registry while it goes on, by a process beside it."""

from __future__ import annotations

import logging
import math
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from glean.errors import GleanError
from glean.operations.registry.sending import Registry, Sent, send_runs
from glean.operations.worker_pool import WorkerPool
from glean.runs.index import find_run

LOG = logging.getLogger("glean")

EVERY_S = 5.0

LAST_TRIES = 2
"""At the end; what isn't sent then is sent by `glean registry send` or by a service."""


class RunFollower:
    """A thread that sends what a run has done so far, again and again.

    Parameters
    ----------
    registry : Registry
        Where to.
    results : Path
        Folder of the run folders.
    """

    def __init__(self, registry: Registry, results: Path) -> None:
        self._registry = registry
        self._results = results
        self._known: list[int] = []
        self._ended = threading.Event()
        self._pool = WorkerPool()
        self._thread = threading.Thread(target=self._send_often, name="registry", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def started(self, run_id: int) -> None:
        """Say which run it is, once that is known."""
        self._known.append(run_id)

    def finish(self) -> str:
        """Send the rest; give why something of it wasn't, "" where all was."""
        self._ended.set()
        self._thread.join()
        if self._known and not self._folders():
            self._pool.close()
            return f"its folder isn't in {self._results}: send it from where it is"
        problem = ""
        try:
            for _ in range(LAST_TRIES):
                sent = self._send()
                problem = sent.down or "; ".join(why for _, why in sent.refused)
                if not sent.down:
                    break
        finally:
            self._pool.close()
        return problem

    def _send_often(self) -> None:
        while not self._ended.wait(EVERY_S):
            self._send()

    def _send(self) -> Sent:
        try:
            folders = self._folders()
            return self._pool.run(send_apart, folders, self._registry) if folders else Sent()
        except GleanError as error:
            return Sent(down=str(error))
        except Exception as error:  # whatever it is, the run goes on and ends as it would
            LOG.exception("a run can't be sent to the registry")
            return Sent(down=type(error).__name__)

    def _folders(self) -> list[Path]:
        found = (find_run(self._results, run_id) for run_id in self._known)
        return [folder for folder in found if folder is not None]


def send_apart(folders: Sequence[Path], registry: Registry, limit_s: float = math.inf) -> Sent:
    """Send runs, in a process whose parent alone hears Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return send_runs(folders, registry, limit_s)


@contextmanager
def following_registry(
    registry: Registry | None, results: Path, *, unsent: Callable[[str], None]
) -> Iterator[Callable[[int], None]]:
    """Send a run while the body runs it, and the rest once it has ended.

    Parameters
    ----------
    registry : Registry or None
        Where to; None sends nothing.
    results : Path
        Folder of the run folders.
    unsent : callable
        Told why something couldn't be sent; nothing else comes of it.

    Yields
    ------
    callable
        To be told the id of the run once it is known; of each that goes on from another, too.
    """
    if registry is None:
        yield lambda _run_id: None
        return
    follower = RunFollower(registry, results)
    follower.start()
    try:
        yield follower.started
    finally:
        problem = follower.finish()
        if problem:
            unsent(problem)
