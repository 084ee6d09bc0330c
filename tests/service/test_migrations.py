"""Migrations with rows in, step by step, forward, back to the first and forward again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from glean.errors import GleanError
from glean.service.store.database import MIGRATIONS, Database
from glean.service.store.tables import Table

VERSIONS = "alembic_version"
READ_AGAIN = {("runs", "seen")}
"""What a migration empties on purpose: runs are then read anew from the disk."""

Rows = dict[str, list[dict[str, Any]]]


def revisions() -> list[str]:
    """All there are, the first one first."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config).walk_revisions()
    return [script.revision for script in scripts][::-1]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty one."""
    if request.param == "sqlite":
        found = Database(f"sqlite:///{tmp_path / 'a.db'}")
    else:
        found = Database(request.getfixturevalue("postgres_database"))
    yield found
    found.close()


def tables_of(database: Database) -> list[sa.Table]:
    """Those that are there just now, as the database itself describes them."""
    found = sa.MetaData()
    found.reflect(database.engine)
    return [table for table in found.sorted_tables if table.name != VERSIONS]


def value_for(table: sa.Table, column: sa.Column[Any], number: int) -> Any:
    """Something of the column's type, different in each row."""
    match column.type:
        case sa.Boolean():
            return number % 2 == 0
        case sa.JSON():
            return {"number": number, "list": [None, True, "Mühle\n"]}
        case sa.Float():
            return number / 7
        case sa.Integer():
            return number
        case _:
            return f"{table.name} {column.name} {number} „Mühle“"


def add_rows(database: Database, number: int) -> None:
    """Put a row with all columns filled into every table."""
    with database.engine.begin() as connection:
        for table in tables_of(database):
            row = {column.name: value_for(table, column, number) for column in table.columns}
            connection.execute(sa.insert(table).values(row))


def rows_of(database: Database) -> Rows:
    """All there is, in an order that depends on nothing else."""
    with database.engine.connect() as connection:
        found = {
            table.name: [dict(row) for row in connection.execute(sa.select(table)).mappings()]
            for table in tables_of(database)
        }
    return {name: sorted(rows, key=_key) for name, rows in found.items()}


def _key(row: dict[str, Any]) -> str:
    return json.dumps(row, sort_keys=True)


def shared(rows: Rows, other: Rows) -> Rows:
    """What of some rows another state of the database has columns for, too."""
    columns = {name: set(there[0]) for name, there in other.items() if there}
    return {
        name: sorted(
            (
                {
                    key: value
                    for key, value in row.items()
                    if key in columns[name] and (name, key) not in READ_AGAIN
                }
                for row in there
            ),
            key=_key,
        )
        for name, there in rows.items()
        if name in columns
    }


def test_rows_survive_every_migration_forward_and_back(database: Database) -> None:
    """Each revision's rows are there in all later ones, and again on the way back."""
    steps = revisions()
    states: list[Rows] = []
    for number, revision in enumerate(steps):
        database.upgrade(revision)
        assert database.revision() == revision
        if states:
            moved = rows_of(database)
            assert shared(moved, states[-1]) == shared(states[-1], states[-1])
        add_rows(database, number)
        states.append(rows_of(database))
    last = states[-1]
    assert all(len(rows) >= 1 for rows in last.values())
    for revision, state in list(zip(steps, states, strict=True))[-2::-1]:
        database.downgrade(revision)
        found = rows_of(database)
        assert found.keys() == state.keys(), revision
        assert shared(found, state) == shared(last, state), revision
    database.upgrade()
    again = rows_of(database)
    assert shared(again, states[0]) == shared(last, states[0])
    add_rows(database, len(steps))


def test_migrations_end_at_the_tables_that_the_code_has(database: Database) -> None:
    """Whoever changes a table writes a migration; to begin from nothing is one, too."""
    database.upgrade()
    database.upgrade()
    database.downgrade("base")
    assert (database.revision(), tables_of(database)) == ("", [])
    database.upgrade()
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Table.metadata) == []


def test_a_database_of_a_later_version_is_left_alone(database: Database) -> None:
    """With a word on what to do."""
    database.upgrade()
    with database.transaction() as session:
        session.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(GleanError, match="later version"):
        database.upgrade()
    assert database.revision() == "9999"
