"""A layout that was kept reads the next export like the first one, or says what differs."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from pathlib import Path

import pytest

from glean.errors import GleanError, SalesError, SettingsError
from glean.operations.tables.import_sales import ImportReport, read_export, write_import
from glean.sales.importing.exports import Notation
from glean.sales.importing.import_sales import import_sales
from glean.sales.importing.layout_file import read_layout, with_layout
from glean.sales.importing.request import Columns, ImportRequest
from glean.sales.product_choice import OnlyThese
from tests.sales.importing.exports import file_of, units_of
from tests.sales.importing.test_workbook_imports import SHAPES
from tests.sales.importing.workbooks import Cell, Rows, xlsx_of

MONDAY = dt.date(2024, 5, 13)
HOURS = [dt.time(8), dt.time(9), dt.time(10)]
HEADER: list[Cell] = ["", "Nr.", "Name", *HOURS]


def day_sheet(day: dt.date) -> Rows:
    return [[f"{day:%d.%m.%Y}", 1, "Roll", 1, 2, 3], [None, 2, "Cake", 1, -1, None]]


def kept(request: ImportRequest, folder: Path) -> Path:
    """Import, and keep the layout."""
    layout = folder / "layout.json"
    write_import(read_export(request, folder / "first.csv", layout=layout))
    return layout


def again(path: Path, layout: Path, **options: object) -> ImportReport:
    request = ImportRequest(path, **options)  # type: ignore[arg-type]
    return read_export(request, path.with_suffix(".out.csv"), force=True, layout=layout)


@pytest.fixture
def by_hour(tmp_path: Path) -> Path:
    """Layout of a sheet a day with columns of hours."""
    book = xlsx_of(tmp_path / "week 1.xlsx", {"1": [HEADER, *day_sheet(MONDAY)]})
    return kept(ImportRequest(book, bakery_name="N", returns="net", zeros=False), tmp_path)


def test_the_next_export_needs_no_options(by_hour: Path, tmp_path: Path) -> None:
    """Not even a header: the name of the bakery, returns and columns are those of the first."""
    sheets = {str(n): day_sheet(MONDAY + dt.timedelta(n)) for n in (7, 8)}
    book = xlsx_of(tmp_path / "week 2.xlsx", sheets)
    report = again(book, by_hour)
    assert report.table.bakeries == ("N",)
    assert report.table.rows["units"].tolist() == [0.0, 0.0, 6.0, 6.0]
    assert report.new_layout == ""
    assert any(f"(layout {by_hour})" in text for _, text in report.notes)


@pytest.mark.parametrize("shape", ["hours", "texts", "the day above the table"])
def test_an_export_is_read_by_its_own_layout_as_without_it(shape: str, tmp_path: Path) -> None:
    """And is like itself: the layout that comes of it is the same."""
    path = xlsx_of(tmp_path / "book.xlsx", SHAPES[shape])
    first = import_sales(ImportRequest(path, bakery_name="N"))
    (tmp_path / "layout.json").write_text(first.layout.to_json(), encoding="utf-8")
    layout = read_layout(tmp_path / "layout.json")
    later = import_sales(with_layout(ImportRequest(path), layout, "layout.json"))
    assert units_of(later) == units_of(first)
    assert later.layout == first.layout == layout


def test_a_layout_is_written_once_and_with_the_table(tmp_path: Path) -> None:
    """Not where the import is refused; then what is there stays."""
    layout = tmp_path / "layout.json"
    bad = file_of(tmp_path, "Datum;Menge\n13.5.2024;viel\n", "bad.csv")
    with pytest.raises(SalesError):
        again(bad, layout)
    fine = file_of(tmp_path, "Datum;Menge\n13.5.2024;5\n", "fine.csv")
    report = again(fine, layout)
    assert not layout.exists()
    write_import(report)
    text = layout.read_text(encoding="utf-8")
    assert read_layout(layout).to_json() == text == report.new_layout
    write_import(again(fine, layout), force=True)
    assert layout.read_text(encoding="utf-8") == text


def test_marks_and_orders_that_were_clear_go_for_files_that_leave_them_open(
    tmp_path: Path,
) -> None:
    """What would be asked alone isn't asked again."""
    first = file_of(tmp_path, "Date;Item;Qty\n13/05/2024;Roll;1,5\n", "a.csv")
    layout = kept(ImportRequest(first, bakery_name="N"), tmp_path)
    second = file_of(tmp_path, "Date;Item;Qty\n03/04/2024;Roll;1,250\n", "b.csv")
    with pytest.raises(SalesError):
        read_export(ImportRequest(second), tmp_path / "out.csv")
    report = again(second, layout)
    assert (report.first_day, report.table.rows["units"][0]) == (dt.date(2024, 4, 3), 1.25)


def test_told_columns_are_kept_too(tmp_path: Path) -> None:
    """With what comes along; the same may be told again, another may not."""
    text = "Wann;Was;Wieviel;Preis\n13.5.2024;Roll;5;0,45\n"
    columns = Columns("Wann", "Wieviel", product="Was", kept={"Preis": "price"})
    request = ImportRequest(file_of(tmp_path, text), columns, bakery_name="N")
    layout = kept(request, tmp_path)
    path = file_of(tmp_path, text, "next.csv")
    assert again(path, layout).table.rows["price"].tolist() == [0.45]
    again(path, layout, columns=columns, bakery_name="N")
    others: dict[str, dict[str, object]] = {
        "--units": {"columns": Columns(units="Preis")},
        "--bakery-name": {"bakery_name": "South"},
        "--keep": {"columns": Columns(kept={"Preis": "money"})},
        "--decimal": {"notation": Notation(decimal=".")},
    }
    for option, options in others.items():
        with pytest.raises(SettingsError, match=f"^{option}: found .* in the layout"):
            again(path, layout, **options)


def test_days_of_stamps_and_totals_are_kept_too(tmp_path: Path) -> None:
    """Local days, what is done with totals, and the column of kinds, by which --only goes."""
    text = "d;p;k;u\n2024-05-1{}T23:30:00Z;Roll;Bread;2\n2024-05-1{}T23:30:00Z;Summe;;2\n"
    first = file_of(tmp_path, text.format(1, 1))
    columns = Columns(date="d", product="p", units="u", category="k")
    asked = ImportRequest(first, columns, timezone="Europe/Berlin", totals="drop", bakery_name="N")
    layout = kept(asked, tmp_path)
    only = OnlyThese("only.csv", (("bread", 1),))
    rows = again(file_of(tmp_path, text.format(2, 2), "next.csv"), layout, only=only).table.rows
    assert rows[["date", "product"]].astype(str).to_numpy().tolist() == [["2024-05-13", "Roll"]]


def test_kinds_of_several_files_are_kept_apart(tmp_path: Path) -> None:
    """Each file is read by the one that it is like, in any order."""
    rows: Rows = [["Sales of 13.5.2024"], ["Artikel", "Menge"], ["Roll", 1.5]]
    book = xlsx_of(tmp_path / "a.xlsx", {"A": rows})
    text = file_of(tmp_path, "Tag;Produkt;Anzahl\n14.5.2024;Roll;2,5\n", "b.csv")
    layout = kept(ImportRequest(book, bakery_name="N", further=(text,)), tmp_path)
    report = again(text, layout, further=(book,))
    assert report.table.rows["units"].tolist() == [1.5, 2.5]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            [["Datum", "Artikel", "Menge"], [MONDAY, "Roll", 1]],
            "found the columns Datum, Artikel, Menge; wanted '\\(A\\)' and 'Name' and columns of h",
        ),
        (
            [[*HEADER, "Filiale"], ["13.5.2024", 1, "Roll", 1, 2, 3, "South"]],
            r"found a further column 'Filiale'; wanted the columns of the layout .*\(A\), Nr\.",
        ),
        ([HEADER, [None, 1, "Roll", 1, 2, 3]], "found no day; wanted a day in the column, as in"),
    ],
)
def test_an_export_that_is_not_like_it_is_refused(
    rows: Rows, words: str, by_hour: Path, tmp_path: Path
) -> None:
    """In a sentence that says what differs."""
    book = xlsx_of(tmp_path / "other.xlsx", {"A": rows})
    with pytest.raises(SalesError, match=words) as caught:
        again(book, by_hour)
    assert str(by_hour) in str(caught.value)
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "found something else"),
        (b"\xff{", "found something else"),
        (b"Datum;Menge\n", "found something else"),
        (b'{"glean layout": 2, "kinds": []}', "found something else"),
        (b'{"glean layout": 1, "kinds": []}', "one without kinds"),
        (b'{"glean layout": 1, "kinds": [{}], "colour": ""}', "one with 'colour'"),
        (b'{"glean layout": 1, "kinds": [{}], "wide": 1}', "one in which 'wide' is 1"),
        (b'{"glean layout": 1, "kinds": [{"day": "x"}]}', "in which 'day' is 'x'"),
        (b'{"glean layout": 1, "kinds": [{"header": "x"}]}', "in which 'header' is 'x'"),
    ],
)
def test_what_is_no_layout_is_refused(content: bytes, words: str, tmp_path: Path) -> None:
    """And stays as it is."""
    layout = tmp_path / "layout.json"
    layout.write_bytes(content)
    with pytest.raises(GleanError, match="--layout .*" + words):
        again(file_of(tmp_path, "Datum;Menge\n13.5.2024;5\n"), layout)
    assert layout.read_bytes() == content


def test_a_layout_needs_a_place_of_its_own(tmp_path: Path) -> None:
    """Not that of the table, nor a folder that isn't there."""
    path = file_of(tmp_path, "Datum;Menge\n13.5.2024;5\n")
    with pytest.raises(SettingsError, match=r"--layout: found .* as --out"):
        again(path, path.with_suffix(".out.csv"))
    with pytest.raises(GleanError, match=r"--layout .* can't be written"):
        again(path, tmp_path / "nowhere" / "layout.json")
    with pytest.raises(GleanError, match="--layout: found "):
        again(path, tmp_path)


NOT_KEPT = {"path", "further", "columns", "notation", "kinds", "layout"}
"""Of the export itself, or kept in parts."""

OF_ONE_IMPORT = {"aligned", "covariates", "only", "selection"}


def test_every_field_is_read_as_it_was_written(by_hour: Path) -> None:
    """No option is forgotten; a layout made of nothing but defaults is one too."""
    whole = read_layout(by_hour)
    fields = {item.name for item in dataclasses.fields(ImportRequest)}
    assert fields - NOT_KEPT - OF_ONE_IMPORT <= whole.kept.keys()
    least = by_hour.with_name("least.json")
    least.write_text(json.dumps({"glean layout": 1, "kinds": [{"header": ["Datum"]}]}))
    assert read_layout(least).kept.keys() == whole.kept.keys()
    assert read_layout(least).kinds[0].day == "column"
    assert whole.kept["returns"] == "net"
    assert whole.kept["zeros"] is False
