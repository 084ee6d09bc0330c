"""The outbox of run events: each line of a run's events is there once, under its number."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from glean.service.runs.event_outbox import EventOutbox, EventPlace, keep_events
from glean.service.store.database import Database
from glean.service.store.tables import RunEventRow
from tests.service.databases import url_for


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = Database(url_for(tmp_path) or f"sqlite:///{tmp_path / 'service.db'}")
    found.upgrade()
    yield found
    found.close()


def keep(
    database: Database, path: Path, since: EventPlace, *, run_id: str = "r1", attempt: int = 1
) -> EventPlace:
    with database.transaction() as session:
        return keep_events(session, run_id, attempt, path, since)


def write(path: Path, *kinds: str) -> None:
    with path.open("a") as file:
        for kind in kinds:
            file.write(json.dumps({"time": "2026-05-01T12:00:00+00:00", "event": kind}) + "\n")


def test_each_line_is_kept_once_whatever_is_read_again(database: Database, tmp_path: Path) -> None:
    """Damaged lines have numbers too; a line that is half there waits for its end."""
    path, outbox = tmp_path / "events.jsonl", EventOutbox(database)
    place = keep(database, path, EventPlace())
    assert place == EventPlace()
    write(path, "a", "b")
    with path.open("a") as file:
        file.write('damaged\n{"event": "c", "ti')
    place = keep(database, path, place)
    assert place.line == 3
    keep(database, path, EventPlace())
    assert [(one.number, one.kind) for one in outbox.waiting()] == [(1, "a"), (2, "b")]
    with path.open("a") as file:
        file.write('me": "now"}\n')
    assert keep(database, path, place).line == 4
    found = outbox.waiting()[-1]
    assert (found.number, found.kind, found.at) == (4, "c", "now")
    assert json.loads(found.content) == {"event": "c", "time": "now"}


def test_attempts_have_numbers_of_their_own(database: Database, tmp_path: Path) -> None:
    """In order of run and number."""
    path, outbox = tmp_path / "events.jsonl", EventOutbox(database)
    write(path, *(str(k) for k in range(2500)))
    keep(database, path, EventPlace(), run_id="r2", attempt=3)
    keep(database, path, EventPlace(), run_id="r1", attempt=2)
    assert outbox.count_waiting() == 5000
    numbers = [(one.run_id, one.number) for one in outbox.waiting(limit=9999)]
    assert numbers == [("r1", 1_000_001 + k) for k in range(2500)] + [
        ("r2", 2_000_001 + k) for k in range(2500)
    ]


def test_what_was_published_goes_after_some_days(database: Database, tmp_path: Path) -> None:
    """And nothing else."""
    path, outbox = tmp_path / "events.jsonl", EventOutbox(database)
    write(path, "a", "b", "c")
    keep(database, path, EventPlace())
    outbox.published(outbox.waiting()[:2])
    assert [one.kind for one in outbox.waiting()] == ["c"]
    assert outbox.prune() == 0
    with database.transaction() as session:
        old = sa.update(RunEventRow).where(RunEventRow.published_at != "", RunEventRow.number == 1)
        session.execute(old.values(published_at="2026-01-01T00:00:00+00:00"))
    assert outbox.prune() == 1
    with database.transaction() as session:
        assert sorted(session.scalars(sa.select(RunEventRow.number))) == [2, 3]
