"""The audit log: who did what, when and from where."""

from __future__ import annotations

import logging

import sqlalchemy as sa

from glean.runs.folder import utc_now
from glean.runs.log_lines import visible
from glean.service.store.database import Database
from glean.service.store.tables import AuditRow

LOG = logging.getLogger("glean.service")

_LONGEST = 300


class AuditLog:
    """The audit log of a service.

    Parameters
    ----------
    database : Database
        Where it is kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(
        self, actor: str, action: str, subject: str = "", *, detail: str = "", address: str = ""
    ) -> None:
        """Write down that somebody did something; secrets don't belong into it.

        Parameters
        ----------
        actor : str
            Name of the token.
        action : str
            Like "run.create".
        subject : str
            Id of what it was done to.
        detail : str
            A few more words.
        address : str
            Where the request came from.
        """
        row = AuditRow(
            at=utc_now(),
            actor=actor,
            action=action,
            subject=visible(subject)[:_LONGEST],
            detail=visible(detail)[:_LONGEST],
            address=address,
        )
        LOG.info(
            "%s %s %s %s",
            actor,
            action,
            row.subject,
            address,
            extra={"action": action, "user": actor, "subject": row.subject, "address": address},
        )
        with self._database.transaction() as session:
            session.add(row)

    def latest(self, *, before: int | None, limit: int) -> list[AuditRow]:
        """Give lines of the log, the newest first.

        Parameters
        ----------
        before : int, optional
            Only those with a smaller number.
        limit : int
            At most so many.
        """
        query = sa.select(AuditRow).order_by(AuditRow.number.desc()).limit(limit)
        if before is not None:
            # As a long number: some ask for what comes before any.
            query = query.where(AuditRow.number < sa.literal(before, sa.BigInteger))
        with self._database.transaction() as session:
            return list(session.scalars(query))
