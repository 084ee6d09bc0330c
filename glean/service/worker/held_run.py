"""One run that a worker holds: begun or gone on with, watched, and ended in one way or another."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from glean.errors import GleanError
from glean.operations.running.attempts import (
    attempt_folder,
    earlier_ids,
    flower_id_in,
    start_attempt,
)
from glean.operations.running.watched_process import STOP_S, WatchedProcess
from glean.runs.index import COMPLETED
from glean.service.runs.cut_off_attempts import keep_events_of, last_readable
from glean.service.runs.leases import Lease, Leases, LeaseState
from glean.service.store.database import Database, reason_of
from glean.service.worker.attempt_end import AttemptEnd, failed, read_end
from glean.service.worker.lease_keeper import LeaseKeeper, read_facts
from glean.service.worker.requested_run import request_of
from glean.service.worker.run_exchange import RunExchange, SharedResults
from glean.service.worker.settings import WorkerSettings

LOG = logging.getLogger("glean.service")

_POLL_S = 0.1
_RETRY_S = 1.0

LAST_WORDS_S = 10.0
"""How long a worker that ends tries to hand its run back; after that its lease lapses."""


class HeldRun:
    """A run that a worker took.

    Parameters
    ----------
    settings : WorkerSettings
        The worker's.
    database : Database
        Where the queue is.
    leases : Leases
        Gives back.
    lease : Lease
        The run.
    exchange : RunExchange
        How run folders come and go.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        database: Database,
        leases: Leases,
        lease: Lease,
        exchange: RunExchange,
    ) -> None:
        self._settings = settings
        self._database = database
        self._leases = leases
        self._lease = lease
        self._exchange = exchange
        request = settings.requests / lease.run_id
        self._attempt = attempt_folder(request, lease.attempt)
        self._earlier = earlier_ids(lease.earlier, request)
        self._run_folder: Path | None = None
        self._keeper = LeaseKeeper(
            database, leases, lease, lease_s=settings.lease_s, folder_of=self._folder
        )

    def run(self, end: threading.Event) -> None:
        """Run it until it ends, shall be stopped, can't be held any longer, or the worker ends."""
        self._keeper.start()
        try:
            found = self._run(end)
            if found is not None:
                self._finish(found, end)
        finally:
            self._keeper.stop()

    def _run(self, end: threading.Event) -> AttemptEnd | None:
        """Run it; how that ended, None where it isn't this worker's any more."""
        with suppress(SQLAlchemyError):  # at the end it is tried again, but then they come late
            self._keep_earlier_events()
        patient = partial(self._exchange.fetch, wait_while=lambda: self._goes_on(end))
        before = last_readable(self._earlier, patient)
        if before is not None and before.status == COMPLETED:
            # Its worker fell silent before it could say so; its events have that attempt's numbers.
            return AttemptEnd(read_facts(before.folder))
        try:
            request = request_of(self._lease, self._settings)
            self._exchange.bring(request.settings, lambda: self._goes_on(end))
            if not self._goes_on(end):
                return self._end_of(self._keeper.state, stopped=True)
            process = start_attempt(
                self._attempt, request, before=before.folder if before else None
            )
        except (GleanError, OSError) as error:
            return failed(f"can't be started: {error}")
        return self._watch(process, end)

    def _goes_on(self, end: threading.Event) -> bool:
        return self._keeper.state is LeaseState.HELD and not end.is_set()

    def _watch(self, process: WatchedProcess, end: threading.Event) -> AttemptEnd | None:
        """Wait for the end of an attempt's process, or bring it about."""
        state = LeaseState.HELD
        try:
            while process.running() and state is LeaseState.HELD and not end.is_set():
                end.wait(_POLL_S)
                state = self._keeper.state
                if (folder := self._folder()) is not None:
                    self._exchange.send(folder)
            stopped = process.running()
        finally:
            process.stop(patience_s=min(STOP_S, self._keeper.patience_s))
        return self._end_of(state, stopped=stopped, killed=process.killed)

    def _end_of(
        self, state: LeaseState, *, stopped: bool, killed: bool = False
    ) -> AttemptEnd | None:
        """Say how an attempt ended whose process has gone, or never came."""
        if state is LeaseState.LOST:
            LOG.warning(
                "run %s: its lease can't be renewed or is lost; stopped here", self._lease.run_id
            )
            return None
        if (folder := self._folder()) is not None:
            self._exchange.send_last(folder)
        cancelled = state is LeaseState.CANCELLED
        return read_end(self._attempt, folder, stopped=stopped, cancelled=cancelled, killed=killed)

    def _finish(self, found: AttemptEnd, end: threading.Event) -> None:
        """Say how it ended, as soon as the database hears it."""
        asked_to_end = None
        said = ""
        while True:
            try:
                return self._write_end(found)
            except SQLAlchemyError as error:
                why = reason_of(error)
            except OSError as error:
                why = str(error)
            if why != said:
                LOG.warning("run %s: its end waits: %s", self._lease.run_id, why)
            said = why
            if end.is_set():
                asked_to_end = asked_to_end or time.monotonic()
                if time.monotonic() - asked_to_end > LAST_WORDS_S:
                    return None
            time.sleep(_RETRY_S)

    def _write_end(self, found: AttemptEnd) -> None:
        lease = self._lease
        self._keep_earlier_events()
        facts = {**found.facts, "earlier": list(self._earlier)}
        if not self._keeper.write(facts):
            LOG.warning("run %s is another's by now; nothing of this counts", lease.run_id)
        elif not found.ended:
            self._leases.hand_back(lease, orderly=found.orderly, why=found.why)
            LOG.info("run %s: %s; it waits again", lease.run_id, found.why or "handed back")
        else:
            LOG.info("run %s: %s", lease.run_id, facts["status"])

    def _keep_earlier_events(self) -> None:
        attempts = [(self._lease.run_id, k, one) for k, one in enumerate(self._earlier, 1)]
        keep_events_of(self._database, attempts, self._exchange.fetch)

    def _folder(self) -> Path | None:
        """Give the run's folder, None while it has none."""
        if self._run_folder is None:
            flower_id = flower_id_in(self._attempt)
            # On this machine in any case: what looks at the lease mustn't wait for a store.
            here = SharedResults(self._settings.results)
            self._run_folder = here.fetch(flower_id) if flower_id else None
        return self._run_folder
