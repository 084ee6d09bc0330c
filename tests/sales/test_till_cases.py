"""Small inputs that once went wrong, in a folder beside the repository, give what is right."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from glean.cli.data import app
from glean.sales.reading.sales_file import read_sales
from glean.sales.table import SalesTable

CASES = os.environ.get("GLEAN_CASES", "")

pytestmark = pytest.mark.skipif(not CASES, reason="GLEAN_CASES names no folder with the cases")


def imported(name: str, words: str, folder: Path) -> tuple[SalesTable | None, str]:
    """Table, or None where it is refused, and what is said."""
    out = folder / "table.csv"
    result = CliRunner().invoke(
        app, ["import", str(Path(CASES) / name), *words.split(), "--out", str(out)]
    )
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return (read_sales(out) if out.exists() else None), result.output


@pytest.mark.parametrize(
    ("name", "words", "first", "units"),
    [
        ("c10_monthname.csv", "--date Date --product Item --units Qty", "2024-03-20", 20.0),
        ("c10b_weekday.csv", "--date Datum --product Artikel --units Menge", "2024-03-20", 20.0),
        ("c10c_commatime.csv", "--date Date --product Item --units Qty", "2024-03-20", 20.0),
        ("c11_serial.csv", "--date Date --product Item --units Qty", "2024-03-20", 20.0),
    ],
)
def test_dates(name: str, words: str, first: str, units: float, tmp_path: Path) -> None:
    """Month names, a weekday before, a comma before the time, Excel's days."""
    table, _ = imported(name, words, tmp_path)
    assert table is not None
    rows = table.rows
    assert len(rows) == 40
    assert (str(rows["date"][0].date()), rows["units"][0]) == (first, units)
    assert (rows["date"].diff().dropna().dt.days == 1).all()
