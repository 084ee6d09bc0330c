"""Sessions of browsers: opened with a token, held by a cookie; each form repeats a word of it."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
from dataclasses import dataclass

import sqlalchemy as sa

from glean.runs.folder import utc_now
from glean.service.accounts.tokens import Principal, Tokens
from glean.service.store.database import Database
from glean.service.store.tables import SessionRow

COOKIE = "glean-session"
CSRF_FIELD, CSRF_HEADER = "csrf", "x-csrf-token"

LASTS = dt.timedelta(hours=12)
"""How long a browser stays signed in."""


@dataclass(frozen=True)
class BrowserSession:
    """A browser that is signed in.

    Parameters
    ----------
    principal : Principal
        Who signed in.
    csrf : str
        What each form of it repeats, and no other site can know.
    """

    principal: Principal
    csrf: str

    def allows(self, word: str) -> bool:
        """Whether a form repeats the session's word."""
        return hmac.compare_digest(self.csrf.encode(), word.encode())


class Sessions:
    """The sessions of a service.

    Parameters
    ----------
    database : Database
        Where they are kept.
    tokens : Tokens
        A session ends with the token that it was opened with.
    """

    def __init__(self, database: Database, tokens: Tokens) -> None:
        self._database = database
        self._tokens = tokens

    def open(self, principal: Principal) -> str:
        """Open a session; what the browser's cookie shall hold."""
        secret = secrets.token_urlsafe(32)
        row = SessionRow(
            id=_id_of(secret),
            token_id=principal.token_id,
            csrf=secrets.token_urlsafe(24),
            created_at=utc_now(),
            expires_at=(dt.datetime.now(dt.UTC) + LASTS).isoformat(timespec="seconds"),
        )
        with self._database.transaction() as session:
            session.execute(sa.delete(SessionRow).where(SessionRow.expires_at < utc_now()))
            session.add(row)
        return secret

    def find(self, secret: str) -> BrowserSession | None:
        """Find the session of a cookie; None where it has ended."""
        with self._database.transaction() as session:
            row = session.get(SessionRow, _id_of(secret))
        if row is None or row.expires_at <= utc_now():
            return None
        principal = self._tokens.by_id(row.token_id)
        return None if principal is None else BrowserSession(principal, row.csrf)

    def close(self, secret: str) -> None:
        """End the session of a cookie."""
        with self._database.transaction() as session:
            session.execute(sa.delete(SessionRow).where(SessionRow.id == _id_of(secret)))


def _id_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
