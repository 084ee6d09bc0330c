"""Where a worker takes its runs from: here the queue in the database, looked at again and again."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from typing import Protocol

from glean.service.runs.leases import Lease, Leases

POLL_S = 1.0


class RunSource(Protocol):
    """Where runs are taken from."""

    def take(self, end: threading.Event) -> Lease | None:
        """Wait a while for a run and take it; None where there is none, or the worker shall end.

        Raises
        ------
        SQLAlchemyError
            The database can't be used just now.
        """
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...


class DatabaseSource:
    """The queue in the database.

    Parameters
    ----------
    leases : Leases
        Takes them.
    worker : str
        For whom.
    engines : sequence of str
        What it can run.
    """

    def __init__(self, leases: Leases, worker: str, engines: Sequence[str]) -> None:
        self._leases = leases
        self._worker = worker
        self._engines = engines

    def take(self, end: threading.Event) -> Lease | None:
        """Look once; where nothing waits, wait about a second."""
        lease = self._leases.take(self._worker, engines=self._engines)
        if lease is None:
            # Not all at the same moment, that they don't stand in each other's way.
            end.wait(POLL_S * random.uniform(0.5, 1.5))  # noqa: S311 # nosec B311 # no secret
        return lease

    def close(self) -> None:
        """Nothing is held."""
