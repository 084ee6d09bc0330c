"""The clock of the database, which all who use it share."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Session


def database_now(session: Session) -> dt.datetime:
    """Give the time of the database, UTC, in whole seconds (rounded down).

    In PostgreSQL that of the transaction's begin, in SQLite this machine's.
    """
    found = session.scalar(sa.select(sa.func.now()))
    assert isinstance(found, dt.datetime), f"the database's clock said {found!r}"
    aware = found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)
    return aware.replace(microsecond=0)


def as_text(time: dt.datetime) -> str:
    """Write a time as the tables hold it."""
    return time.isoformat(timespec="seconds")
