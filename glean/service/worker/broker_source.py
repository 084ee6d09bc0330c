"""Runs that a broker hands out, claimed in the database; while it is away, taken from there."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from sqlalchemy.exc import SQLAlchemyError

from glean.broker.connection import BrokerError
from glean.broker.run_consumer import Delivery, RunConsumer
from glean.service.runs.leases import Lease, Leases
from glean.service.runs.status import RunStatus
from glean.service.store.database import Database
from glean.service.store.tables import RunRow
from glean.service.worker.run_source import POLL_S, DatabaseSource

LOG = logging.getLogger("glean.service")


class BrokerSource:
    """A broker's queue of runs.

    A message says which run; whoever then claims it in the database has it, however often and to
    whomever the message comes.

    Parameters
    ----------
    consumer : RunConsumer
        Hears from the broker.
    database : Database
        Where the runs are.
    leases : Leases
        Claims them there.
    worker : str
        For whom.
    engines : sequence of str
        What it can run.
    """

    def __init__(
        self,
        consumer: RunConsumer,
        database: Database,
        leases: Leases,
        worker: str,
        engines: Sequence[str],
    ) -> None:
        self._consumer = consumer
        self._database = database
        self._leases = leases
        self._worker = worker
        self._engines = engines
        self._queue = DatabaseSource(leases, worker, engines)
        self._away = False

    def take(self, end: threading.Event) -> Lease | None:
        """Wait about a second for a run and take it; None where there is none.

        Raises
        ------
        SQLAlchemyError
            The database can't be used just now; what the broker had handed out goes back to it.
        """
        try:
            found = self._consumer.next(POLL_S)
            self._tell_log(None)
            return None if found is None else self._claim(found, end)
        except BrokerError as error:
            self._tell_log(error)
            return self._queue.take(end)
        except SQLAlchemyError:
            self._consumer.close()
            raise

    def close(self) -> None:
        """Let go of the broker."""
        self._consumer.close()

    def _claim(self, found: Delivery, end: threading.Event) -> Lease | None:
        run_id = found.message.run_id
        lease = self._leases.take(self._worker, engines=self._engines, run_id=run_id)
        if lease is not None:
            self._settle(found)
        elif self._waits(run_id):
            self._consumer.close()  # it can't be run here: somebody else may have it
            return self._queue.take(end)  # what lies behind it would come only after it
        else:
            self._consumer.drop(found)
        return lease

    def _settle(self, found: Delivery) -> None:
        """Tell the broker that a run is taken; where it doesn't hear, others find it taken."""
        try:
            self._consumer.take(found)
        except BrokerError as error:
            LOG.info("run %s is taken, which the broker doesn't know: %s", found.message, error)

    def _waits(self, run_id: str) -> bool:
        with self._database.transaction() as session:
            row = session.get(RunRow, run_id)
            return row is not None and row.status == RunStatus.QUEUED

    def _tell_log(self, error: BrokerError | None) -> None:
        """Say once that the broker is away, and once that it is back."""
        if error is not None and not self._away:
            LOG.warning("runs are taken from the database while the broker is away: %s", error)
        if error is None and self._away:
            LOG.info("runs are taken from the broker again")
        self._away = error is not None
