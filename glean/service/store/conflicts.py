"""Rows that several may insert at once: the first counts, the others change nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from glean.service.store.tables import Table


def insert_unless_there(
    session: Session, table: type[Table], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Insert rows, but for those whose key is there.

    Parameters
    ----------
    session : Session
        In a transaction.
    table : type of Table
        Which table.
    rows : sequence of mapping
        Values by column; all have the same columns.
    """
    if not rows:
        return
    values = [dict(row) for row in rows]
    kind = table.__table__
    assert isinstance(kind, sa.Table), "a mapped class has a table"
    if session.get_bind().dialect.name == "postgresql":
        session.execute(postgresql.insert(kind).on_conflict_do_nothing(), values)
    else:
        session.execute(sqlite.insert(kind).on_conflict_do_nothing(), values)
