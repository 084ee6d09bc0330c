"""Work that needs pandas, Flower or XGBoost, done in a process beside the service.

The service itself imports none of them: it stays small and quick, and a table that takes all memory
takes the worker's. The worker ends once there was nothing to do for a while.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, TypeVar

from glean.errors import GleanError, SalesError, SettingsError, said_by
from glean.observability.json_logs import log_as_told
from glean.process_pool import end_with_the_parent

Result = TypeVar("Result")

IDLE_S = 60.0
"""After how long without work the worker ends."""


@dataclass(frozen=True)
class _Failure:
    """An error on its way out of the worker: pickle can't carry every exception."""

    kind: type[GleanError]
    said: Any

    def raise_again(self) -> None:
        raise self.kind(self.said)


def _begin_worker() -> None:
    log_as_told(os.environ)
    end_with_the_parent()


class WorkerPool:
    """One worker process, started when there is work."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None
        self._at_work = 0
        self._timer: threading.Timer | None = None
        self._closed = False

    def run(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Call a function in the worker and wait for what it returns.

        Parameters
        ----------
        function : callable
            Of a module, not of a body: it is found by its name there.
        *arguments
            Values that pickle carries; likewise what is returned.

        Raises
        ------
        GleanError
            As the function raised it; or the worker was killed, as by a lack of memory.
        """
        pool = self._begin()
        try:
            found = pool.submit(_guarded, function, arguments).result()
        except BrokenProcessPool:
            self._forget(pool)
            raise GleanError(
                "the worker that did this ended at once, maybe for a lack of memory; try again, "
                "with a smaller table if it was large"
            ) from None
        finally:
            self._finish()
        if isinstance(found, _Failure):
            found.raise_again()
        result: Result = found
        return result

    def close(self) -> None:
        """End the worker; no work is taken any more."""
        with self._lock:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)

    def _begin(self) -> ProcessPoolExecutor:
        with self._lock:
            if self._closed:
                raise GleanError("the service ends: ask again once it is back")
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._pool is None:
                # Not forked: threads of this process hold locks.
                context = multiprocessing.get_context("spawn")
                self._pool = ProcessPoolExecutor(1, context, initializer=_begin_worker)
            self._at_work += 1
            return self._pool

    def _finish(self) -> None:
        with self._lock:
            self._at_work -= 1
            if not self._at_work and self._pool is not None:
                self._timer = threading.Timer(IDLE_S, self._end_if_idle)
                self._timer.daemon = True
                self._timer.start()

    def _end_if_idle(self) -> None:
        with self._lock:
            if self._at_work:
                return
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()

    def _forget(self, pool: ProcessPoolExecutor) -> None:
        with self._lock:
            if self._pool is pool:
                self._pool = None


def _guarded(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    try:
        return function(*arguments)
    except SalesError as error:
        return _Failure(SalesError, error.problems)
    except SettingsError as error:
        return _Failure(SettingsError, said_by(error))
    except GleanError as error:
        return _Failure(GleanError, said_by(error))
