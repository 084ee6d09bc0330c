"""Tables of several bakeries in one: the rows of each, missing columns told, days once."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from glean.cli.data import app
from glean.errors import SalesError
from glean.sales.merging import merge_tables
from glean.sales.reading.sales_file import read_sales
from tests.sales.importing.exports import file_of

NORTH = "date,product,units,price,promotion\n2024-05-02,roll,4,0.5,1\n2024-05-01,roll,3,0.45,0\n"
SOUTH = "date,bakery,product,units,sold_out_at\n2024-05-01,South,roll,9,16:30\n"


def test_each_bakery_has_its_rows_as_before(tmp_path: Path) -> None:
    """Whatever the order of the files; what is missing is empty or 0, and told."""
    north, south = file_of(tmp_path, NORTH, "North.csv"), file_of(tmp_path, SOUTH, "two.csv")
    table, told = merge_tables([south, north])
    assert table.bakeries == ("North", "South")
    for name, path in (("North", north), ("South", south)):
        before = read_sales(path).rows
        after = table.of(name).rows
        assert after[list(before.columns)].equals(before)
        others = after.drop(columns=before.columns)
        assert others.isin([0.0, ""]).where(others.notna(), True).all(axis=None)
    assert told == (
        f"'sold_out_at' isn't in {north}: empty there",
        f"'price' isn't in {south}: empty there",
        f"'promotion' isn't in {south}: 0 there",
    )
    again, _ = merge_tables([north, south])
    pd.testing.assert_frame_equal(again.rows, table.rows)


def test_a_day_in_two_files_is_refused_with_all_else_that_is_wrong(tmp_path: Path) -> None:
    """One sentence for two files, with the number of rows; one bakery may go on in another file."""
    first = file_of(tmp_path, SOUTH, "a.csv")
    second = file_of(tmp_path, SOUTH + "2024-05-02,South,roll,9,\n", "b.csv")
    wrong = file_of(tmp_path, "date,units\n2024-05-01,many\n", "c.csv")
    with pytest.raises(SalesError) as caught:
        merge_tables([first, second, wrong])
    assert [problem.source for problem in caught.value.problems] == [str(wrong), str(second)]
    assert f"2024-05-01; wanted each day once; {first} has it already" in str(caught.value)
    later = file_of(tmp_path, SOUTH.replace("05-01", "06-01"), "d.csv")
    assert len(merge_tables([first, later])[0].rows) == 2


def test_the_command_writes_what_can_be_read_again(tmp_path: Path) -> None:
    """And says what was missing; what is there isn't replaced."""
    paths = [str(file_of(tmp_path, NORTH, "North.csv")), str(file_of(tmp_path, SOUTH, "two.csv"))]
    words = ["merge", *paths, "--out", str(tmp_path / "all.csv")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "'promotion' isn't in" in result.output
    assert "3 rows of 2 bakeries (North, South)" in result.output
    assert read_sales(tmp_path / "all.csv").rows["units"].tolist() == [3.0, 4.0, 9.0]
    assert CliRunner().invoke(app, words).exit_code == 2
