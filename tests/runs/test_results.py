"""A run's tables as frames, with their columns checked."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from glean.errors import GleanError
from glean.runs.results import Columns, read_table

COLUMNS = Columns(("day", "name", "count"), text=("name", "note"), dates=("day",))


def test_text_stays_text_and_empty_numbers_are_missing(tmp_path: Path) -> None:
    """As a user's "007" and "NA" have to; a date is a datetime; other columns are numbers."""
    path = tmp_path / "table.csv"
    path.write_text("day,name,count,more\n2024-02-29,007,1,\n2024-03-01,NA,,2.5\n")
    table = read_table(path, COLUMNS)
    assert table is not None
    assert table["name"].tolist() == ["007", "NA"]
    assert table["count"].fillna(-1).tolist() == [1.0, -1.0]
    assert table["more"].fillna(-1).tolist() == [-1.0, 2.5]
    assert table["day"].tolist() == [pd.Timestamp("2024-02-29"), pd.Timestamp("2024-03-01")]


def test_a_table_that_is_not_there_is_none(tmp_path: Path) -> None:
    """Not every run leaves every file."""
    assert read_table(tmp_path / "table.csv", COLUMNS) is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "can't be read as a table"),
        ("day,name,count\n2024-01-01,a,many\n", "can't be read as a table"),
        ("name\na\n", "found no column day, count"),
        ("day,name,count\n1.2.24,a,1\n", "a date isn't like 2019-07-01"),
    ],
)
def test_a_damaged_table_is_named(tmp_path: Path, content: str, said: str) -> None:
    """The error names the file, and what to do."""
    path = tmp_path / "table.csv"
    path.write_text(content)
    with pytest.raises(GleanError, match=said) as caught:
        read_table(path, COLUMNS)
    assert str(path) in str(caught.value)
    assert "again" in str(caught.value)
