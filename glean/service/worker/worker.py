"""The loop of a worker: a run after the other, each until its end, its cancel or the worker's."""

from __future__ import annotations

import logging
import socket
import threading
import time

from sqlalchemy.exc import SQLAlchemyError

from glean.observability.log_context import log_fields
from glean.service.runs.cut_off_attempts import put_back_lapsed
from glean.service.runs.leases import Leases
from glean.service.runs.worker_list import SEEN_EVERY_S, WorkerList
from glean.service.store.database import Database, reason_of
from glean.service.worker.held_run import HeldRun
from glean.service.worker.run_exchange import RunExchange
from glean.service.worker.run_source import RunSource
from glean.service.worker.settings import WorkerSettings

LOG = logging.getLogger("glean.service")

_LAPSED_EVERY_S = 5.0
_RETRY_S = 1.0


class Worker:
    """Takes runs and runs them, one at a time.

    Parameters
    ----------
    settings : WorkerSettings
        How it is set up.
    database : Database
        Where the queue is.
    source : RunSource
        Where it takes runs from.
    exchange : RunExchange
        How run folders come and go.
    end : Event
        Set, it has the worker hand back its run and end.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        database: Database,
        source: RunSource,
        exchange: RunExchange,
        end: threading.Event,
    ) -> None:
        self._settings = settings
        self._database = database
        self._source = source
        self._exchange = exchange
        self._leases = Leases(database, lease_s=settings.lease_s)
        self._list = WorkerList(database)
        self._end = end
        self._run_id = ""
        self._said = ""
        self.taken = 0

    @property
    def busy(self) -> bool:
        """Whether it has a run."""
        return self._run_id != ""

    def work(self) -> None:
        """Take one run after the other until it shall end; whatever fails is tried again."""
        announcer = threading.Thread(target=self._announce, name="announcer", daemon=True)
        announcer.start()
        try:
            while not self._end.is_set():
                self._take_one()
        finally:
            self._end.set()
            announcer.join(_RETRY_S)
            self._source.close()
            try:
                self._list.gone(self._settings.name)
            except SQLAlchemyError as error:
                LOG.warning("the database can't be used: %s", reason_of(error))

    def _take_one(self) -> None:
        try:
            lease = self._source.take(self._end)
            self._said = ""
        except SQLAlchemyError as error:
            self._warn_once(f"the database can't be used, and is waited for: {reason_of(error)}")
            self._end.wait(_RETRY_S)
            return
        except Exception:
            LOG.exception("no run can be taken")  # the worker must not end
            self._source.close()
            self._end.wait(_RETRY_S)
            return
        if lease is not None:
            self._run_id, self.taken = lease.run_id, self.taken + 1
            LOG.info("run %s taken, attempt %d", lease.run_id, lease.attempt)
            held = HeldRun(self._settings, self._database, self._leases, lease, self._exchange)
            try:
                with log_fields(run=lease.run_id):
                    held.run(self._end)
            except Exception:
                # The worker must not end; its run waits again once the lease has lapsed.
                LOG.exception("run %s: its end can't be told", lease.run_id)
            self._run_id = ""

    def _announce(self) -> None:
        """Say that the worker is there, and see to runs whose worker isn't any more."""
        looked_at = seen_at = -1e9
        while not self._end.wait(_RETRY_S):
            try:
                if time.monotonic() - seen_at > SEEN_EVERY_S:
                    self._list.seen(self._settings.name, socket.gethostname(), run_id=self._run_id)
                    seen_at = time.monotonic()
                if time.monotonic() - looked_at > _LAPSED_EVERY_S:
                    put_back_lapsed(self._database, self._leases, self._exchange.fetch)
                    looked_at = time.monotonic()
            except SQLAlchemyError:
                continue  # whoever takes runs says so
            except Exception:
                LOG.exception("the worker can't say that it is there")

    def _warn_once(self, text: str) -> None:
        if text != self._said:
            LOG.warning("%s", text)
        self._said = text
