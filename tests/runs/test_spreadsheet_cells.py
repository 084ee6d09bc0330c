"""Names that a spreadsheet would compute: text in every CSV, and themselves when read back."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.runs.folder import RunFolder, round_tables
from glean.runs.results import Columns, read_table
from glean.runs.spreadsheet_cells import escape_cell, to_spreadsheet_csv, unescape_cell
from glean.sales.products import read_products
from glean.sales.reading.sales_file import read_sales
from glean.sales.table import SalesTable
from glean.sales.writing import write_sales

FORMULAS = ("=1+1", "+49 30", "-Brot", "@SUM(A1)", "\t=1", "'=1", '=HYPERLINK("http://x")')
COMPUTED = ("=", "+", "-", "@", "\t", "\r")
ODD = (*FORMULAS, "'s Brood", "l'Atelier", "007", "NA", "a,b")


@given(st.text(alphabet="'=+-@\t\rab ") | st.text())
def test_a_text_comes_back_as_it_was(text: str) -> None:
    """Whatever it begins with, and no spreadsheet takes what is written for a formula."""
    written = escape_cell(text)
    assert unescape_cell(written) == text
    assert not written.startswith(COMPUTED)


def cells(text: str) -> list[str]:
    return [row[0] for row in csv.reader(io.StringIO(text, newline=""))][1:]


def test_a_table_s_numbers_stay_numbers(tmp_path: Path) -> None:
    """Only texts are escaped; a run's table read back has the names that went in."""
    frame = pd.DataFrame({"bakery": ODD, "bias": -0.5})
    text = to_spreadsheet_csv(frame)
    assert not [cell for cell in cells(text) if cell.startswith(COMPUTED)]
    assert "'-Brot,-0.5\n" in text
    path = tmp_path / "bakeries.csv"
    path.write_bytes(text.encode())
    found = read_table(path, Columns(("bakery", "bias"), ("bakery",)))
    assert found is not None
    assert found["bakery"].tolist() == list(ODD)
    assert found["bias"].tolist() == [-0.5] * len(ODD)


@pytest.mark.parametrize("name", ["=1+1", "-Brot", "'=1"])
def test_a_round_s_rows_are_escaped_once(name: str, tmp_path: Path) -> None:
    """Numbers that are texts already, as a resumed run takes them over, are left alone."""
    folder = RunFolder.create(tmp_path, run_id=1)
    (table, columns), _ = round_tables(("bias",)).items()
    folder.add_rows(
        table, columns, [{"round": "1", "bakery": name, "n_examples": "7", "bias": "-2"}]
    )
    text = (folder.path / table).read_text(encoding="utf-8")
    assert text.endswith(f"1,{escape_cell(name)},7,-2\n")


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
def test_a_sales_table_comes_back_with_its_names(suffix: str, tmp_path: Path) -> None:
    """Of bakeries and products, in every form."""
    names = [name for name in ODD if name.isprintable()]
    rows = pd.DataFrame(
        {
            "date": pd.Timestamp("2024-05-02"),
            "bakery": "=A1",
            "product": sorted(names),
            "units": 1.0,
        }
    )
    path = tmp_path / f"sales{suffix}"
    write_sales(SalesTable(rows), path)
    found = read_sales(path).rows
    assert found["product"].tolist() == sorted(names)
    assert set(found["bakery"]) == {"=A1"}


def test_names_copied_from_a_plan_into_a_product_list_are_known(tmp_path: Path) -> None:
    """With the apostrophe or without it."""
    path = tmp_path / "products.csv"
    path.write_text("product,price\n'-Brot,2\n+Extra,3\n", encoding="utf-8")
    assert list(read_products(path)) == ["-Brot", "+Extra"]
