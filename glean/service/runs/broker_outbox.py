"""What a broker shall get: runs that wait, events that are kept, runs that were given up.

The database says what that is and what the broker has confirmed. A message that was sent and not
confirmed is sent again; that it comes twice then is what its number is for.
"""

from __future__ import annotations

import datetime as dt
import json

import sqlalchemy as sa

from glean.broker.connection import BrokerError
from glean.broker.messages import RunMessage, event_message
from glean.broker.publisher import Publisher
from glean.service.runs.event_outbox import EventOutbox
from glean.service.runs.leases import ENGINES
from glean.service.runs.status import RunStatus
from glean.service.store.clock import as_text, database_now
from glean.service.store.database import Database
from glean.service.store.tables import RunEventRow, RunRow

SENT_AGAIN = dt.timedelta(seconds=60)
"""A run that still waits so long after it was sent is looked for in the broker's queue."""

MARKED_TOGETHER = 50
"""Events that were confirmed and come twice, at most, should this process be killed just then."""


class BrokerOutbox:
    """Messages on their way.

    Parameters
    ----------
    database : Database
        Says what is to be sent, and is told what was confirmed.
    publisher : Publisher
        Sends.
    """

    def __init__(self, database: Database, publisher: Publisher) -> None:
        self._database = database
        self._events = EventOutbox(database)
        self._publisher = publisher

    def send_waiting(self) -> bool:
        """Send what waits: runs first, and of each run its events in order.

        Returns
        -------
        bool
            Whether there may be more.

        Raises
        ------
        BrokerError
            The broker is away; what it has confirmed isn't sent again.
        SQLAlchemyError
            The database can't be used.
        """
        for row in self._runs(_TO_SEND):
            self._send_run(row)
        for row in self._lost_runs():
            self._send_run(row)
        for row in self._runs(_TO_BURY):
            self._publisher.send(RunMessage(row.id, row.attempt).to_dead_message(row.reason))
            self._mark_sent(row)
        return self._send_events()

    def prune(self) -> int:
        """Forget events that were published some days ago; how many."""
        return self._events.prune()

    def _runs(self, condition: sa.ColumnElement[bool]) -> list[RunRow]:
        ordered = sa.select(RunRow).where(condition).order_by(*_IN_TURN)
        with self._database.transaction() as session:
            return list(session.scalars(ordered))

    def _lost_runs(self) -> list[RunRow]:
        """List those that wait too long, if the broker's queue lacks any.

        A long queue alone is no reason: each message would be there many times.
        """
        with self._database.transaction() as session:
            before = as_text(database_now(session) - SENT_AGAIN)
            late = list(session.scalars(sa.select(RunRow).where(_IS_SENT, RunRow.sent_at < before)))
            sent = session.scalar(sa.select(sa.func.count()).where(_IS_SENT)) or 0
        return late if late and self._publisher.waiting_runs() < sent else []

    def _send_run(self, row: RunRow) -> None:
        message = RunMessage(row.id, row.attempt).to_outgoing(priority=row.priority)
        self._publisher.send(message)
        self._mark_sent(row)

    def _mark_sent(self, row: RunRow) -> None:
        """Note that a run was sent, unless it was begun and put back meanwhile."""
        same = (RunRow.id == row.id, RunRow.attempt == row.attempt, RunRow.sent_at == row.sent_at)
        with self._database.transaction() as session:
            now = as_text(database_now(session))
            session.execute(sa.update(RunRow).where(*same).values(sent_at=now))

    def _send_events(self) -> bool:
        events = self._events.waiting()
        for begin in range(0, len(events), MARKED_TOGETHER):
            self._send_together(events[begin : begin + MARKED_TOGETHER])
        return bool(events)

    def _send_together(self, events: list[RunEventRow]) -> None:
        confirmed = []
        try:
            for event in events:
                content = json.loads(event.content)
                self._publisher.send(event_message(event.run_id, event.number, content))
                confirmed.append(event)
        except BrokerError:
            self._events.published(confirmed)
            raise
        self._events.published(confirmed)


_IS_QUEUED = (RunRow.status == RunStatus.QUEUED) & RunRow.engine.in_(ENGINES)
_IS_SENT = _IS_QUEUED & (RunRow.sent_at != "")
_TO_SEND = _IS_QUEUED & (RunRow.sent_at == "")
_TO_BURY = RunRow.given_up & (RunRow.sent_at == "")
_IN_TURN = (RunRow.priority.desc(), RunRow.asked_at, RunRow.id)
