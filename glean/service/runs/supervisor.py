"""The heartbeat of a service: looks at the disk and starts what waits, again and again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from sqlalchemy.exc import SQLAlchemyError

from glean.service.alerts.absence_watch import AbsenceWatch
from glean.service.runs.discovery import RunDiscovery
from glean.service.runs.queue import RunQueue
from glean.service.store.database import reason_of

LOG = logging.getLogger("glean.service")

EVERY_S = 1.0
"""How often it looks: a run that dies is told within 10 s."""


class Supervisor:
    """A thread that keeps the list of runs true and the queue moving.

    Parameters
    ----------
    discovery : RunDiscovery
        Reads the disk.
    queue : RunQueue
        Starts what waits.
    absences : AbsenceWatch
        Tells who stays away.
    also : sequence of callable
        What else looks each time.
    """

    def __init__(
        self,
        discovery: RunDiscovery,
        queue: RunQueue,
        absences: AbsenceWatch,
        also: Sequence[Callable[[], None]] = (),
    ) -> None:
        self._discovery = discovery
        self._queue = queue
        self._absences = absences
        self._also = also
        self._wake = threading.Event()
        self._end = False
        self._thread = threading.Thread(target=self._look, name="supervisor", daemon=True)
        self._said = ""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def hurry(self) -> None:
        """Have it look at once, since something has changed."""
        self._wake.set()

    def stop(self) -> None:
        """End; what it had started goes on."""
        self._end = True
        self._wake.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._end:
            self._wake.clear()
            self._look_once()
            self._wake.wait(EVERY_S)

    def _look_once(self) -> None:
        try:
            self._discovery.refresh_if_changed()
            self._queue.start_next()
            self._absences.look_now_and_then()
            for look in self._also:
                look()
            self._said = ""
        except SQLAlchemyError as error:
            self._warn_once(f"the database can't be used: {reason_of(error)}")
        except OSError as error:
            self._warn_once(f"the results can't be read or written: {error}")
        except Exception:
            # The thread must not end: nothing would be started or noticed any more.
            LOG.exception("a look at the runs failed")

    def _warn_once(self, text: str) -> None:
        """Say once what goes wrong again and again."""
        if text != self._said:
            LOG.warning("%s", text)
        self._said = text
