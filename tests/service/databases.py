"""Which database the tests of the service use: SQLite, or PostgreSQL where they are told to.

    GLEAN_TEST_DATABASE=postgresql pytest tests/service

Each folder of a service has a database of its own. They are emptied and used again: to make one
takes a tenth of a second, to empty one a thousandth.
"""

from __future__ import annotations

import datetime as dt
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from glean.service.store import clock
from glean.service.store.database import Database
from glean.service.store.tables import Table
from tests.postgres import Cluster

VARIABLE = "GLEAN_TEST_DATABASE"
KINDS = ("sqlite", "postgresql")


def wanted_kind() -> str:
    """What the variable asks for."""
    found = os.environ.get(VARIABLE, KINDS[0])
    assert found in KINDS, f"{VARIABLE}: found {found!r}; wanted one of {', '.join(KINDS)}"
    return found


sqlite_only = pytest.mark.skipif(
    wanted_kind() != "sqlite", reason="asks something of SQLite's file; test_postgresql.py has more"
)


class ServiceDatabases:
    """Databases of PostgreSQL, up to date and empty, one for each folder that asks.

    Parameters
    ----------
    cluster : Cluster
        Where they are.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._free: list[str] = []
        self._taken: dict[Path, str] = {}
        self._made = 0
        self._connections: list[weakref.ref[Any]] = []
        sa.event.listen(sa.pool.Pool, "connect", self._remember)

    def url_of(self, home: Path) -> str:
        """Give the URL of a folder's database."""
        if home not in self._taken:
            self._taken[home] = self._free.pop() if self._free else self._make()
        return self._cluster.url(self._taken[home])

    def take_back(self) -> None:
        """Empty those that were given out, and close what a thread of a test left open."""
        for reference in self._connections:
            if (connection := reference()) is not None:
                with suppress(Exception):  # most are closed already
                    connection.close()
        self._connections.clear()
        for name in self._taken.values():
            database = Database(self._cluster.url(name))
            with database.transaction() as session:
                # Whoever still holds a lock there was left behind by its test.
                session.execute(_END_OTHERS)
                for table in reversed(Table.metadata.sorted_tables):
                    session.execute(sa.delete(table))
            database.close()
            self._free.append(name)
        self._taken.clear()

    def _remember(self, connection: Any, _record: object) -> None:
        if hasattr(connection, "wait_at_most"):
            self._connections.append(weakref.ref(connection))

    def _make(self) -> str:
        self._made += 1
        name = f"service{self._made}"
        database = Database(self._cluster.make(name))
        database.upgrade()
        database.close()
        return name


_END_OTHERS = sa.text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)

_current: ServiceDatabases | None = None


@contextmanager
def on_postgresql(databases: ServiceDatabases) -> Iterator[None]:
    """Have services use these, until the end of the body."""
    global _current  # noqa: PLW0603 # what is served in processes of its own asks too
    _current = databases
    try:
        yield
    finally:
        _current = None
        databases.take_back()


def clock_ahead(module: ModuleType, seconds: float) -> mock._patch[mock.Mock]:
    """Let the database's clock be ahead, for what a module of the service asks of it."""

    def ahead(session: Session) -> dt.datetime:
        return clock.database_now(session) + dt.timedelta(seconds=seconds)

    return mock.patch.object(module, "database_now", side_effect=ahead)


def url_for(home: Path) -> str:
    """Give the URL that a service over a folder is to be told; "" is its own SQLite file."""
    return "" if _current is None else _current.url_of(home)
