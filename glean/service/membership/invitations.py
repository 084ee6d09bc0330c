"""Invitations: for one bakery, shown once, used once; only hashes of secrets are kept."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from glean.errors import GleanError
from glean.runs.folder import utc_now
from glean.service.store.database import Database
from glean.service.store.tables import InvitationRow

DAYS = 7
"""How long one can be used, unless it is said otherwise."""

MOST_DAYS = 365


class InvitationState(StrEnum):
    """How an invitation stands."""

    OPEN = "open"
    USED = "used"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class UnknownInvitationError(GleanError):
    """There is no invitation with that secret."""


class EndedInvitationError(GleanError):
    """An invitation can't be used any more.

    Parameters
    ----------
    state : InvitationState
        Why.
    """

    def __init__(self, state: InvitationState) -> None:
        self.state = state
        super().__init__(_ENDED[state])


_ENDED = {
    InvitationState.USED: "this invitation was used already, and each is good for one bakery, "
    "once: ask the operator for a new one, unless it was you",
    InvitationState.WITHDRAWN: "the operator has withdrawn this invitation: ask for a new one",
    InvitationState.EXPIRED: "this invitation has expired: ask the operator for a new one",
}


def invitation_state(row: InvitationRow) -> InvitationState:
    """Say how an invitation stands now."""
    if row.used_at:
        return InvitationState.USED
    if row.withdrawn_at:
        return InvitationState.WITHDRAWN
    return InvitationState.OPEN if utc_now() < row.expires_at else InvitationState.EXPIRED


class Invitations:
    """The invitations of a federation.

    Parameters
    ----------
    database : Database
        Where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(
        self, bakery: str, secret_hash: str, *, days: int, replaces_key: bool, created_by: str
    ) -> InvitationRow:
        """Keep a new invitation; one of the same name that is still open is withdrawn by it.

        Parameters
        ----------
        bakery : str
            Whom it is for; already checked.
        secret_hash : str
            Of its secret.
        days : int
            How long it can be used.
        replaces_key : bool
            Whether it gives a member a new key.
        created_by : str
            Name of the token; "" for the command line.
        """
        until = dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
        row = InvitationRow(
            id=secrets.token_hex(4),
            bakery=bakery,
            secret_hash=secret_hash,
            replaces_key=replaces_key,
            created_at=utc_now(),
            created_by=created_by,
            expires_at=until.isoformat(timespec="seconds"),
        )
        with self._database.transaction() as session:
            _withdraw_open(session, InvitationRow.bakery == bakery)
            session.add(row)
        return row

    def all(self) -> list[InvitationRow]:
        """Give all of them, the newest first."""
        newest = sa.select(InvitationRow).order_by(
            InvitationRow.created_at.desc(), InvitationRow.id
        )
        with self._database.transaction() as session:
            return list(session.scalars(newest))

    def open(self) -> list[InvitationRow]:
        """Give those that can be used, in order of their bakeries' names."""
        found = [row for row in self.all() if invitation_state(row) is InvitationState.OPEN]
        return sorted(found, key=lambda row: row.bakery)

    def find(self, invitation_id: str) -> InvitationRow | None:
        """Find one by its id."""
        with self._database.transaction() as session:
            return session.get(InvitationRow, invitation_id)

    def withdraw(self, invitation_id: str) -> bool:
        """Withdraw one; whether it was open until then."""
        with self._database.transaction() as session:
            return _withdraw_open(session, InvitationRow.id == invitation_id) > 0

    def withdraw_of(self, bakery: str) -> bool:
        """Withdraw what a bakery was sent; whether anything was open until then."""
        with self._database.transaction() as session:
            return _withdraw_open(session, InvitationRow.bakery == bakery) > 0

    def redeem(self, secret_hash: str, take_in: Callable[[InvitationRow], None]) -> InvitationRow:
        """Use an invitation, once, however many try at the same moment.

        Parameters
        ----------
        secret_hash : str
            Of the secret that was shown.
        take_in : callable
            Makes its bakery a member; what it raises leaves the invitation as it was.

        Raises
        ------
        UnknownInvitationError
            There is none with this secret.
        EndedInvitationError
            It can't be used any more.
        """
        with self._database.transaction() as session:
            # This takes the right to write: who comes second waits, and finds it used.
            now = utc_now()
            used = session.execute(
                sa.update(InvitationRow)
                .where(
                    InvitationRow.secret_hash == secret_hash,
                    _IS_OPEN,
                    InvitationRow.expires_at > now,
                )
                .values(used_at=now)
            )
            with_secret = sa.select(InvitationRow).where(InvitationRow.secret_hash == secret_hash)
            row = session.scalar(with_secret)
            if row is None:
                raise UnknownInvitationError(
                    "the operator knows no such invitation: compare the link with the one that was "
                    "sent, or ask for a new one"
                )
            if not _count(used):
                raise EndedInvitationError(invitation_state(row))
            take_in(row)
            return row


_IS_OPEN = sa.and_(InvitationRow.used_at == "", InvitationRow.withdrawn_at == "")


def _withdraw_open(session: Session, which: sa.ColumnElement[bool]) -> int:
    now = utc_now()
    change = sa.update(InvitationRow).where(which, _IS_OPEN, InvitationRow.expires_at > now)
    return _count(session.execute(change.values(withdrawn_at=now)))


def _count(result: sa.Result[tuple[object, ...]]) -> int:
    assert isinstance(result, CursorResult), "an update's"
    return int(result.rowcount)
