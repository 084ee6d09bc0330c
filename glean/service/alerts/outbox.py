"""The outbox: alerts are written down with what they are about, and sent until they are taken."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from glean.errors import FederationError
from glean.outgoing.addresses import OutgoingAddress
from glean.runs.folder import utc_now
from glean.service.alerts.delivery import deliver
from glean.service.store.database import Database, reason_of
from glean.service.store.tables import AlertRow

LOG = logging.getLogger("glean.service")

EVERY_S = 5.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 10.0, 3600.0
"""After a refusal it is tried again, later and later."""

MOST_TRIES = 30
"""That is a day; then it is given up, and the log says so."""

Deliver = Callable[[OutgoingAddress, Mapping[str, str]], None]


class AlertOutbox:
    """Alerts on their way.

    Parameters
    ----------
    database : Database
        Where they are kept.
    addresses : sequence of OutgoingAddress
        Where each goes; without any nothing is kept.
    """

    def __init__(
        self, database: Database, addresses: Sequence[OutgoingAddress], send: Deliver = deliver
    ) -> None:
        self._database = database
        self._addresses = {address.url: address for address in addresses}
        self._send = send
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, name="alerts", daemon=True)

    @property
    def wanted(self) -> bool:
        """Whether there is anybody to tell."""
        return bool(self._addresses)

    def add(
        self, session: Session, kind: str, subject: str, text: str, *, occasion: str = ""
    ) -> None:
        """Keep an alert, with the transaction that it belongs to; one for each thing that happened.

        Parameters
        ----------
        session : Session
            Of the transaction.
        kind : str
            Like "run.failed".
        subject : str
            Id of what it is about.
        text : str
            What happened, in a sentence.
        occasion : str
            What tells it from the same happening to the same subject at another time.
        """
        key = " ".join(filter(None, (kind, subject, occasion)))
        for url in self._addresses:
            if session.get(AlertRow, (key, url)) is None:
                now = utc_now()
                session.add(
                    AlertRow(
                        key=key,
                        url=url,
                        kind=kind,
                        subject=subject,
                        text=text,
                        at=now,
                        tries=0,
                        next_try_at=now,
                        delivered_at="",
                    )
                )

    def start(self) -> None:
        """Begin to send, if there is anywhere to send to."""
        if self._addresses:
            self._thread.start()

    def stop(self) -> None:
        """End; what wasn't taken is sent after the next start."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()

    def send_due(self) -> None:
        """Send what is due, each to its address."""
        with self._database.transaction() as session:
            due = sa.select(AlertRow).where(
                AlertRow.delivered_at == "",
                AlertRow.next_try_at <= utc_now(),
                AlertRow.tries < MOST_TRIES,
                AlertRow.url.in_(self._addresses),
            )
            rows = list(session.scalars(due.order_by(AlertRow.at)))
        for row in rows:
            self._try(row)

    def _try(self, row: AlertRow) -> None:
        alert = {"kind": row.kind, "subject": row.subject, "text": row.text, "at": row.at}
        try:
            self._send(self._addresses[row.url], alert)
            told = {"delivered_at": utc_now()}
        except FederationError as error:
            LOG.warning("alert %s: %s", row.key, error)
            told = {"next_try_at": _later(row.tries)}
        with self._database.transaction() as session:
            same = sa.and_(AlertRow.key == row.key, AlertRow.url == row.url)
            session.execute(
                sa.update(AlertRow).where(same).values(tries=AlertRow.tries + 1, **told)
            )

    def _look(self) -> None:
        while not self._end.wait(EVERY_S):
            try:
                self.send_due()
            except SQLAlchemyError as error:
                LOG.warning("alerts wait: %s", reason_of(error))
            except Exception:
                LOG.exception("alerts wait")  # the thread must not end


def _later(tries: int) -> str:
    pause = min(FIRST_PAUSE_S * 2**tries, LONGEST_PAUSE_S)
    later = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=pause)
    return later.isoformat(timespec="seconds")
