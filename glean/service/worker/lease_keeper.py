"""Keeps a run a worker's while it goes on, and keeps the database told of it, beside the worker."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from glean.errors import GleanError
from glean.runs.index import signature_of
from glean.service.runs.event_outbox import EventPlace, keep_events
from glean.service.runs.leases import Lease, Leases, LeaseState
from glean.service.runs.run_files import facts_of
from glean.service.runs.status import RunStatus
from glean.service.store.database import Database, reason_of
from glean.service.store.service_facts import keeps_events

LOG = logging.getLogger("glean.service")

BEAT_S = 1.0
"""How often it looks whether the run shall be stopped, and says how far it is."""

RENEWALS = 6
"""How many renewals there are a lease: some may fail."""

_STOP_FRACTION, _KILL_FRACTION = 2 / 3, 5 / 6
"""After how much of a lease without a renewal a run is stopped, and by force: before it lapses."""


class LeaseKeeper:
    """A thread that renews a lease and writes down how its run goes.

    What holds is told by this machine's monotonic clock alone: a database that is gone, or slow,
    holds up this thread and nobody else.

    Parameters
    ----------
    database : Database
        Where the queue is.
    leases : Leases
        Renews.
    lease : Lease
        The run.
    lease_s : float
        For how long a renewal counts.
    folder_of : callable
        Gives the run's folder, None while it has none.
    """

    def __init__(
        self,
        database: Database,
        leases: Leases,
        lease: Lease,
        *,
        lease_s: float,
        folder_of: Callable[[], Path | None],
    ) -> None:
        self._database = database
        self._leases = leases
        self._lease = lease
        self._lease_s = lease_s
        self._renewed_at = lease.taken_at
        self._folder_of = folder_of
        self._state = LeaseState.HELD
        self._place = EventPlace()
        self._seen = ""
        self._said = ""
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End: from now on nothing is renewed; a call that hangs in the database is left alone."""
        self._end.set()
        self._thread.join(self._lease_s)

    @property
    def state(self) -> LeaseState:
        """How the worker stands to the run: lost also where it can't renew until near its end."""
        if self._since_renewal() > self._lease_s * _STOP_FRACTION:
            return LeaseState.LOST
        return self._state

    @property
    def patience_s(self) -> float:
        """How long the run may take to end by itself, so that it has ended before the lease."""
        return max(0.0, self._lease_s * _KILL_FRACTION - self._since_renewal())

    def write(self, facts: dict[str, Any]) -> bool:
        """Write down what is known of the run with its new events; False where it is another's.

        Raises
        ------
        SQLAlchemyError
            The database can't be used; nothing was written.
        """
        folder = self._folder_of()
        with self._database.transaction() as session:
            if not self._leases.report(session, self._lease, facts):
                return False
            place = self._place
            if folder is not None and keeps_events(session):
                lease, path = self._lease, folder / "events.jsonl"
                place = keep_events(session, lease.run_id, lease.attempt, path, place)
        self._place = place
        return True

    def _since_renewal(self) -> float:
        return time.monotonic() - self._renewed_at

    def _keep(self) -> None:
        while not self._end.wait(min(BEAT_S, self._lease_s / RENEWALS / 2)):
            try:
                self._beat()
                self._said = ""
            except SQLAlchemyError as error:
                self._warn_once(f"the database can't be used: {reason_of(error)}")
            except (GleanError, OSError) as error:
                self._warn_once(str(error))
            except Exception:
                LOG.exception("run %s can't be written down", self._lease.run_id)

    def _beat(self) -> None:
        if self._since_renewal() > self._lease_s / RENEWALS:
            began = time.monotonic()
            state = self._leases.renew(self._lease)
            self._renewed_at = began if state is not LeaseState.LOST else self._renewed_at
        else:
            state = self._leases.look(self._lease)
        self._state = state
        folder = self._folder_of()
        if folder is None or state is LeaseState.LOST:
            return
        seen = signature_of(folder)
        if seen != self._seen and self.write(going_on(folder)):
            self._seen = seen

    def _warn_once(self, text: str) -> None:
        if text != self._said:
            LOG.warning("run %s: %s", self._lease.run_id, text)
        self._said = text


def going_on(folder: Path) -> dict[str, Any]:
    """Read what a run's folder says of it while its process works: it hasn't ended before that."""
    return read_facts(folder) | {"status": RunStatus.RUNNING, "reason": "", "ended_at": ""}


def read_facts(folder: Path) -> dict[str, Any]:
    """Read what a run's folder says of it; when the service saw it is the service's matter.

    Raises
    ------
    GleanError
        It says nothing that can be read.
    """
    facts = facts_of(folder)
    del facts["seen"]
    return facts
