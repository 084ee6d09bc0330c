"""Tokens: made once and shown once, kept as Argon2id hashes, found by their prefix."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from glean.errors import GleanError
from glean.runs.folder import utc_now
from glean.service.accounts.scopes import Scope
from glean.service.store.database import Database
from glean.service.store.tables import SessionRow, TokenRow

MARK = "glean"
_PREFIX_LENGTH, _SECRET_BYTES = 8, 32

REMEMBERED_S = 60.0
"""How long a token that was proved isn't proved anew: Argon2 takes some 50 ms on purpose."""

_MOST_REMEMBERED = 1000

# RFC 9106, second recommended option (64 MiB, 3 passes, 4 lanes), at a quarter of the memory: the
# secret has 256 random bits and can't be guessed from a list of words.
_HASHER = PasswordHasher(time_cost=3, memory_cost=16 * 1024, parallelism=4)


@dataclass(frozen=True)
class Principal:
    """Who makes a request.

    Parameters
    ----------
    token_id : str
        Id of the token.
    name : str
        What people call it.
    scope : Scope
        What it may do.
    prefix : str
        The token's first characters, by which logs tell it.
    """

    token_id: str
    name: str
    scope: Scope
    prefix: str


class Tokens:
    """The tokens of a service.

    Parameters
    ----------
    database : Database
        Where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._proved: OrderedDict[bytes, tuple[float, Principal]] = OrderedDict()
        self._lock = threading.Lock()

    def create(self, name: str, scope: Scope, *, days: int | None = None) -> tuple[TokenRow, str]:
        """Make a token; the text opens the service and is told this once only.

        Parameters
        ----------
        name : str
            What people shall call it.
        scope : Scope
            What it may do.
        days : int, optional
            After how many days it expires; by default never.
        """
        prefix, secret = _random(_PREFIX_LENGTH), secrets.token_urlsafe(_SECRET_BYTES)
        expires = "" if days is None else _utc_in(dt.timedelta(days=days))
        row = TokenRow(
            id=f"t{secrets.token_hex(6)}",
            name=name,
            prefix=prefix,
            secret_hash=_HASHER.hash(secret),
            scope=scope.value,
            created_at=utc_now(),
            expires_at=expires,
            revoked_at="",
            used_at="",
        )
        with self._database.transaction() as session:
            session.add(row)
        return row, f"{MARK}_{prefix}_{secret}"

    def prove(self, text: str) -> Principal | None:
        """Find out who shows a token; None where it is none, or no longer one."""
        digest = hashlib.sha256(text.encode()).digest()
        remembered = self._remembered(digest)
        if remembered is not None:
            return remembered
        mark, _, rest = text.partition("_")
        prefix, _, secret = rest.partition("_")
        if mark != MARK or not secret:
            return None
        with self._database.transaction() as session:
            row = session.scalar(sa.select(TokenRow).where(TokenRow.prefix == prefix))
        if row is None or not _is_valid(row) or not _fits(row.secret_hash, secret):
            return None
        principal = _principal_of(row)
        self._remember(digest, principal)
        self._note_use(row)
        return principal

    def by_id(self, token_id: str) -> Principal | None:
        """Find who a token is for; None where it is no longer valid."""
        with self._database.transaction() as session:
            row = session.get(TokenRow, token_id)
        return None if row is None or not _is_valid(row) else _principal_of(row)

    def all(self) -> list[TokenRow]:
        """Give all tokens, the newest first."""
        with self._database.transaction() as session:
            return list(session.scalars(sa.select(TokenRow).order_by(TokenRow.created_at.desc())))

    def revoke(self, token_id: str) -> TokenRow | None:
        """End a token and the sessions that were opened with it; None where there is none."""
        with self._database.transaction() as session:
            row = session.get(TokenRow, token_id)
            if row is None:
                return None
            if row.scope == Scope.ADMIN and _is_valid(row) and _valid_admins(session) == 1:
                raise GleanError(
                    f"{row.name} is the last token that may do everything: make another one first"
                )
            row.revoked_at = row.revoked_at or utc_now()
            session.execute(sa.delete(SessionRow).where(SessionRow.token_id == token_id))
        with self._lock:
            self._proved.clear()
        return row

    def any_admin(self) -> bool:
        """Whether anybody may do everything."""
        with self._database.transaction() as session:
            return _valid_admins(session) > 0

    def _remembered(self, digest: bytes) -> Principal | None:
        with self._lock:
            until, principal = self._proved.get(digest, (0.0, None))
            return principal if time.monotonic() < until else None

    def _remember(self, digest: bytes, principal: Principal) -> None:
        with self._lock:
            self._proved[digest] = (time.monotonic() + REMEMBERED_S, principal)
            while len(self._proved) > _MOST_REMEMBERED:
                self._proved.popitem(last=False)

    def _note_use(self, row: TokenRow) -> None:
        with self._database.transaction() as session:
            session.execute(
                sa.update(TokenRow).where(TokenRow.id == row.id).values(used_at=utc_now())
            )


def _valid_admins(session: sa.orm.Session) -> int:
    rows = session.scalars(sa.select(TokenRow).where(TokenRow.scope == Scope.ADMIN.value))
    return sum(_is_valid(row) for row in rows)


def _is_valid(row: TokenRow) -> bool:
    return not row.revoked_at and (not row.expires_at or utc_now() < row.expires_at)


def _fits(secret_hash: str, secret: str) -> bool:
    try:
        return _HASHER.verify(secret_hash, secret)
    except (VerificationError, InvalidHashError):
        return False


def _principal_of(row: TokenRow) -> Principal:
    return Principal(row.id, row.name, Scope(row.scope), row.prefix)


def _random(length: int) -> str:
    alphabet = "abcdefghijkmnpqrstuvwxyz23456789"
    return "".join(secrets.choice(alphabet) for _ in range(length))


def _utc_in(later: dt.timedelta) -> str:
    return (dt.datetime.now(dt.UTC) + later).isoformat(timespec="seconds")
