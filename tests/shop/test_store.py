"""The database: made once, brought up to date, never read by an older Glean."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from glean.errors import GleanError
from glean.shop.store.assortment import EVERY_DAY, Assortment, trays_by_weekday
from glean.shop.store.choices import Choices
from glean.shop.store.database import ShopDatabase, Table
from glean.shop.store.tables import TABLES

FIRST = Table("notes", ("CREATE TABLE notes (text TEXT)",))
SECOND = Table("notes", (*FIRST.steps, "ALTER TABLE notes ADD COLUMN day TEXT"))


def test_a_table_is_brought_up_to_date_with_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    with ShopDatabase(path, [FIRST]).begin() as connection:
        connection.execute("INSERT INTO notes VALUES ('milk')")
    for _ in range(2):
        with ShopDatabase(path, [SECOND]).read() as connection:
            assert [tuple(row) for row in connection.execute("SELECT * FROM notes")] == [
                ("milk", None)
            ]


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    ShopDatabase(path, [SECOND])
    with pytest.raises(GleanError, match="newer Glean"):
        ShopDatabase(path, [FIRST])


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(GleanError, match="move it away"):
        ShopDatabase(path, TABLES)


def test_a_body_that_raises_changes_nothing(tmp_path: Path) -> None:
    database = ShopDatabase(tmp_path / "shop.db", [FIRST])
    wrong = "INSERT INTO notes VALUES ('milk')", "nonsense"
    with pytest.raises(sqlite3.Error), database.begin() as connection:
        all(connection.execute(statement) for statement in wrong)
    with database.read() as connection:
        assert connection.execute("SELECT count(*) FROM notes").fetchone()[0] == 0


def test_names_of_tables_are_taken_once() -> None:
    assert len({table.name for table in TABLES}) == len(TABLES)


def test_choices_are_kept_and_forgotten(tmp_path: Path) -> None:
    choices = Choices(ShopDatabase(tmp_path / "shop.db", TABLES))
    choices.put(region="DE-HH", **{"least-units": 2.5})
    assert (choices.get("region"), choices.get("least-units")) == ("DE-HH", 2.5)
    choices.put(region=None)
    assert choices.get("region", "none") == "none"


def test_a_weekday_s_tray_beats_that_of_every_day(tmp_path: Path) -> None:
    assortment = Assortment(ShopDatabase(tmp_path / "shop.db", TABLES))
    assortment.describe("roll", {"price": 0.5}, {EVERY_DAY: (12.0, 24.0), 5: (30.0, None)})
    assert assortment.said() == {"roll": {"price": 0.5}}
    trays = trays_by_weekday(assortment.trays())["roll"]
    assert trays[0] == {"batch_size": 12.0, "minimum": 24.0}
    assert trays[5] == {"batch_size": 30.0, "minimum": 24.0}
    assortment.describe("roll", {}, {})
    assert assortment.said() == {"roll": {}}
    assert assortment.trays() == {}
