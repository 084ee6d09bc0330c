"""An export in several files is what it would be in one."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from glean.errors import SalesError, SettingsError
from glean.sales.importing.import_sales import import_sales
from glean.sales.importing.request import Columns, ImportRequest
from tests.sales.importing.exports import EXPORT, LONG, file_of, units_of

HEADER, *LINES = EXPORT.splitlines(keepends=True)
WIDE = Columns(date="day")


def test_files_below_one_another_are_the_file_in_one(tmp_path: Path) -> None:
    """Whatever the encoding, the delimiter and the order of columns of each, or parquet."""
    whole = import_sales(ImportRequest(file_of(tmp_path, EXPORT), LONG))
    first = file_of(tmp_path, HEADER + LINES[0], "a.csv", "cp1252")
    second = file_of(tmp_path, (HEADER + LINES[1]).replace(";", "\t"), "b.txt", "utf-16")
    header, line = HEADER.strip().split(";"), LINES[2].strip().split(";")
    frame = pd.DataFrame({name: [text] for name, text in zip(header, line, strict=True)})
    frame[frame.columns[::-1]].to_parquet(tmp_path / "c.parquet")
    further = (second, tmp_path / "c.parquet")
    parted = import_sales(ImportRequest(first, LONG, further=further))
    assert units_of(parted) == units_of(whole)
    files = [text for label, text in parted.notes if label == "file"]
    assert [text.partition(":")[0] for text in files] == ["a.csv", "b.txt", "c.parquet"]


def test_many_files_that_are_alike_are_counted(tmp_path: Path) -> None:
    """Twelve files don't make twelve lines of report."""
    lines = [f"2024-05-{day:02},5\n" for day in range(1, 13)]
    paths = [file_of(tmp_path, "d,u\n" + line, f"{n:02}.csv") for n, line in enumerate(lines)]
    columns = Columns(date="d", units="u")
    request = ImportRequest(paths[0], columns, bakery_name="North", further=tuple(paths[1:]))
    imported = import_sales(request)
    assert len(imported.table.rows) == 12
    words = [text for label, text in imported.notes if label == "files"]
    assert words == ["12, from 00.csv to 11.csv: encoding utf-8, a comma between the values"]


def test_problems_name_their_file(tmp_path: Path) -> None:
    """In the order of the files; a day in two of them names where it stands already."""
    first = file_of(tmp_path, HEADER + LINES[0] + "1;14.05.2024;Brot;viel;1\n", "a.csv")
    second = file_of(tmp_path, HEADER + LINES[1] + LINES[0], "b.csv")
    with pytest.raises(SalesError) as caught:
        import_sales(ImportRequest(first, LONG, further=(second,)))
    places = [(Path(p.source).name, p.line, p.column) for p in caught.value.problems]
    assert places == [("a.csv", 3, "Menge"), ("b.csv", 3, "Datum")]
    assert f"line 2 of {first} has it already" in caught.value.problems[1].wanted


def test_each_file_needs_the_columns_that_are_named(tmp_path: Path) -> None:
    """Another that is missing is empty, and told."""
    first = file_of(tmp_path, "day,units,price\n2024-05-01,1,2\n", "a.csv")
    second = file_of(tmp_path, "day,units\n2024-05-02,1\n", "b.csv")
    columns = Columns(date="day", units="units")
    request = ImportRequest(first, columns, bakery_name="North", further=(second,))
    imported = import_sales(request)
    assert ("columns", "not in all files, and empty there: price") in imported.notes
    columns = Columns(date="day", units="units", kept={"price": "price"})
    with pytest.raises(SalesError, match=r"b.csv.*'price', named by --keep"):
        import_sales(ImportRequest(first, columns, bakery_name="North", further=(second,)))


def test_every_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """Not only the first."""
    fine = file_of(tmp_path, EXPORT, "fine.csv")
    further = (tmp_path / "nowhere.csv", file_of(tmp_path, "", "empty.csv"))
    with pytest.raises(SalesError) as caught:
        import_sales(ImportRequest(fine, LONG, further=further))
    assert [p.found for p in caught.value.problems] == ["no such file", "an empty file"]


def test_wide_files_may_have_other_products(tmp_path: Path) -> None:
    """A product without a column in a file wasn't on offer there."""
    first = file_of(tmp_path, "day,roll\n2024-05-01,5\n", "a.csv")
    second = file_of(tmp_path, "day,roll,cake\n2024-05-02,7,1\n", "b.csv")
    request = ImportRequest(first, WIDE, bakery_name="N", wide=True, further=(second,))
    assert units_of(import_sales(request)) == {
        ("2024-05-01", "N", "roll"): 5.0,
        ("2024-05-02", "N", "roll"): 7.0,
        ("2024-05-02", "N", "cake"): 1.0,
    }


def test_problems_of_wide_files_name_file_and_product(tmp_path: Path) -> None:
    """Also once the columns are stacked."""
    first = file_of(tmp_path, "day,roll,cake\n2024-05-01,5,1\n2024-05-02,6,x\n", "a.csv")
    second = file_of(tmp_path, "day,roll,cake\n2024-05-03,7,y\n", "b.csv")
    products = ("roll", "cake")
    request = ImportRequest(
        first, WIDE, bakery_name="N", wide=True, products=products, further=(second,)
    )
    with pytest.raises(SalesError) as caught:
        import_sales(request)
    places = [(Path(p.source).name, p.line, p.column) for p in caught.value.problems]
    assert places == [("a.csv", 3, "cake"), ("b.csv", 2, "cake")]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "--bakery-name: found several FILEs"),
        ({"bakery_name": "N", "aligned": Path("c.csv")}, "--align-rows: found several FILEs"),
        ({"bakery_name": "N", "further": (Path("a.csv"),)}, "FILE: found a.csv twice"),
    ],
)
def test_several_files_want_a_name_and_no_twins(options: dict[str, object], words: str) -> None:
    """What can't be meant is refused before a file is read."""
    given: dict[str, object] = {
        "path": Path("a.csv"),
        "columns": Columns(date="d", units="u"),
        "further": (Path("b.csv"),),
    }
    with pytest.raises(SettingsError, match=words):
        ImportRequest(**(given | options))  # type: ignore[arg-type]
