"""The same sales in workbooks of every shape give the same table."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from glean.errors import GleanError, SalesError, SettingsError
from glean.sales.importing.import_sales import Imported, import_sales
from glean.sales.importing.request import Columns, ImportRequest
from tests.sales.importing.exports import file_of, units_of
from tests.sales.importing.workbooks import Cell, Rows, ods_file, ods_of, xls_of, xlsx_of

DAYS = [dt.date(2024, 2, 20) + dt.timedelta(days) for days in range(9)]
SOLD = {"Roll": 5.5, "Rye 1.5": 15.0, "Cake": 21.234}
UNITS = {(day, name): sold + d for d, day in enumerate(DAYS) for name, sold in SOLD.items()}
EXPECTED = {(str(day), "N", product): units for (day, product), units in UNITS.items()}
HEADER: list[Cell] = ["Datum", "Nr.", "Artikel", "Menge"]
HOURS = (dt.time(8), dt.time(9), dt.time(10))
BY_HOUR: list[list[Cell]] = [["", "Nr.", "Name", *HOURS]]
TOTAL: list[Cell] = ["Tagessumme", None, None, "999"]


def german(day: dt.date) -> str:
    return f"{day:%d.%m.%Y}"


def lines(day: dt.date, first: Cell = None, others: Cell = None) -> Iterator[list[Cell]]:
    """Lines of a day, with this in the first column of the first line and of the others."""
    for number, product in enumerate(SOLD):
        yield [others if number else first, 10 + number, product, UNITS[day, product]]


def whole(rows: Callable[[dt.date], list[list[Cell]]], header: list[Cell]) -> dict[str, Rows]:
    """Put all days on one sheet."""
    return {"Sales": [header, *(row for day in DAYS for row in rows(day))]}


def a_sheet_a_day(
    rows: Callable[[dt.date], list[list[Cell]]], name: str = "Day {number}"
) -> dict[str, Rows]:
    return {name.format(number=number, day=day): rows(day) for number, day in enumerate(DAYS, 1)}


def by_hour(day: dt.date) -> list[list[Cell]]:
    """What was sold in three hours: half, nothing, and the other half."""
    return [
        [first, number, product, units / 2, None, units / 2]
        for first, number, product, units in lines(day, german(day))
        if isinstance(units, float)
    ]


SHAPES: dict[str, dict[str, Rows]] = {
    "one sheet": whole(lambda day: list(lines(day, day, day)), [*HEADER]),
    "texts": whole(
        lambda day: [
            [german(day), str(number), product, str(units).replace(".", ",")]
            for _, number, product, units in lines(day)
        ],
        [*HEADER],
    ),
    "a title, and totals": {
        "Sales": [
            ["Bakery Dawn"],
            ["Branch", "North"],
            [],
            HEADER,
            *(row for day in DAYS for row in [*lines(day, day, day), TOTAL]),
            ["Gesamtsumme:", None, None, 12345],
        ]
    },
    "the day on its first line": whole(lambda day: list(lines(day, day)), [*HEADER]),
    "the day above its lines": whole(
        lambda day: [[f"Sales of {german(day)}"], *lines(day)], ["", *HEADER[1:]]
    ),
    "a header a sheet": a_sheet_a_day(lambda day: [[*HEADER], *lines(day, day)]),
    "a header on the first sheet": a_sheet_a_day(
        lambda day: [*([[*HEADER]] if day == DAYS[0] else []), *lines(day, german(day))]
    ),
    "the day above the table": a_sheet_a_day(
        lambda day: [
            ["Daily report", None, None, "printed 1.5.2024"],
            ["Printed:", dt.date(2024, 5, 1)],
            ["Date:", day],
            ["", *HEADER[1:]],
            *lines(day),
        ]
    ),
    "the day in the sheet's name": a_sheet_a_day(
        lambda day: [HEADER[1:], *([row[1:] for row in lines(day)])], "Sales {day:%d.%m.%Y}"
    ),
    "hours": a_sheet_a_day(
        lambda day: [
            *(BY_HOUR if day == DAYS[0] else []),
            *by_hour(day),
            [None, None, "Summe"],
        ]
    ),
    "hours as numbers": {
        "All": [
            ["Datum", "Nr.", "Name", 8, 9, 10, "Summe"],
            *(row for day in DAYS for row in by_hour(day)),
        ]
    },
}


def imported(*paths: Path, **options: object) -> Imported:
    request = ImportRequest(
        paths[0],
        **({"bakery_name": "N", "further": paths[1:]} | options),  # type: ignore[arg-type]
    )
    return import_sales(request)


WRITERS = {"xlsx": xlsx_of, "ods": ods_of, "xls": xls_of}


@pytest.mark.parametrize(
    ("shape", "ending"),
    [(shape, "xlsx") for shape in SHAPES]
    + [(shape, ending) for shape in list(SHAPES)[::3] for ending in ("ods", "xls")],
)
def test_every_shape_gives_the_same_table(shape: str, ending: str, tmp_path: Path) -> None:
    """Whatever stands where, without an option."""
    path = WRITERS[ending](tmp_path / f"book.{ending}", SHAPES[shape])
    found = imported(path, zeros=False)
    assert units_of(found) == pytest.approx(EXPECTED)


def test_a_product_called_like_a_total_counts_if_told(tmp_path: Path) -> None:
    """As in other files."""
    rows: Rows = [["Datum", "Artikel", "Menge"], [DAYS[0], "Roll", 3], [DAYS[0], "Total", 4]]
    path = xlsx_of(tmp_path / "book.xlsx", {"A": rows})
    assert list(units_of(imported(path)).values()) == [3.0]
    assert list(units_of(imported(path, totals="keep")).values()) == [3.0, 4.0]


def test_merged_days_and_products_stand_on_each_of_their_lines(tmp_path: Path) -> None:
    """The day is merged over its lines, the product over two; numbers never count twice."""
    rows: Rows = [
        ["Datum", "Artikel", "Größe", "Menge"],
        [DAYS[0], "Roll", "small", 3],
        [None, None, "large", 4],
        [DAYS[1], "Roll", "small", 5],
    ]
    path = xlsx_of(tmp_path / "book.xlsx", {"A": rows}, merged=["A2:A3", "B2:B3"])
    found = imported(path, till_lines=True)
    assert list(units_of(found).values()) == [7.0, 5.0]
    assert ("merged", "2 cells have what stands in the first of them") in found.notes
    path = xlsx_of(tmp_path / "book.xlsx", {"A": rows}, merged=["A2:A3", "B2:B3", "D2:D3"])
    with pytest.raises(SalesError, match="line 3, column 'Menge': found nothing"):
        imported(path, till_lines=True)


def test_several_workbooks_and_a_csv_are_one_export(tmp_path: Path) -> None:
    """The header of the first workbook goes for the second; the CSV calls its columns otherwise."""
    sheets = SHAPES["a header on the first sheet"]
    names = list(sheets)
    first = xlsx_of(tmp_path / "a.xlsx", {name: sheets[name] for name in names[:3]})
    second = ods_of(tmp_path / "b.ods", {name: sheets[name] for name in names[3:6]})
    text = "Tag;Produkt;Anzahl\n" + "".join(
        f"{german(day)};{product};{UNITS[day, product]}\n" for day in DAYS[6:] for product in SOLD
    )
    third = file_of(tmp_path, text, "c.csv")
    found = imported(first, second, third)
    assert units_of(found) == pytest.approx(EXPECTED)
    results = [text for label, text in found.notes if label == "result"]
    assert ("", "c.csv: day 'Tag', product 'Produkt', units 'Anzahl'") in found.notes
    assert [text.partition("(")[2] for text in results] == ["a.xlsx, sheet 'Day 1')", "c.csv)"]


def test_days_that_two_workbooks_share_are_asked_about(tmp_path: Path) -> None:
    """By the hour too: the second time doesn't count without a word."""
    sheets = SHAPES["hours"]
    names = list(sheets)
    first = xlsx_of(tmp_path / "a.xlsx", {name: sheets[name] for name in names[:5]})
    second = xlsx_of(tmp_path / "b.xlsx", {name: sheets[name] for name in names[3:]})
    with pytest.raises(SalesError, match=r"2 days .* that stand twice.*--overlap drop"):
        imported(first, second)
    found = imported(first, second, overlap="drop")
    assert units_of(found) == pytest.approx(EXPECTED)


def test_what_was_found_and_left_out_is_told(tmp_path: Path) -> None:
    """Alike sheets in one go: the header, the day, totals, nameless lines, and three results."""
    sheets: dict[str, Rows] = {
        f"Day {number}": [
            ["Shop"],
            ["", "Nr.", "Name", *HOURS],
            [german(day), 1, "Roll", 1, 2, 3],
            [None, 2, "Cake", 1, -1, None],
            [None, 3, None, None, 7, None],
            [None, None, "Total", None, None, None],
        ]
        for number, day in enumerate(DAYS[:4], 1)
    }
    path = xlsx_of(tmp_path / "book.xlsx", sheets | {"Sheet2": []})
    found = imported(path, returns="net")
    assert set(units_of(found).values()) == {6.0, 0.0}
    for note in (
        ("sheets", "4 like book.xlsx, sheet 'Day 1': header on line 2"),
        ("day", "in column '(A)', filled down over 8 lines"),
        ("left out", "4 total lines (Total)"),
        ("left out", "4 lines with a number and no product name"),
        ("left out", "sheets without lines, or hidden: 'Sheet2' of book.xlsx"),
        (
            "columns",
            "day '(A)', product 'Name', 3 hours, '08:00' to '10:00', summed over the day "
            "(told or found)",
        ),
        ("result", "2024-02-20  Roll: 6"),
        ("", "2024-02-20  Cake: 0"),
        ("", "2024-02-21  Roll: 6"),
    ):
        assert note in found.notes, found.notes


def test_an_hour_may_be_on_some_sheets_only(tmp_path: Path) -> None:
    """On a long day one more column is summed."""
    short: Rows = [["Name", *HOURS], ["Roll", 1, 1, 1], ["Summe"]]
    long: Rows = [["Name", dt.time(7), *HOURS], ["Roll", 1, 1, 1, 1], ["Summe"]]
    path = xlsx_of(tmp_path / "b.xlsx", {"2024-02-20": short, "2024-02-21": long})
    found = imported(path)
    assert list(units_of(found).values()) == [3.0, 4.0]
    assert ("sheets", "2 like b.xlsx, sheet '2024-02-20': header on line 1") in found.notes
    assert ("left out", "2 total lines (Summe)") in found.notes
    words = "product 'Name', 4 hours, '07:00' to '10:00', summed over the day (told or found)"
    assert ("columns", words) in found.notes


def test_a_first_sheet_without_a_sale_says_nothing_of_the_others(tmp_path: Path) -> None:
    """Its header goes for them all the same."""
    sheets: dict[str, Rows] = {
        "1": [["", "Name", "Menge"], [None, "Summe"]],
        "2": [["20.2.2024", "Roll", 5]],
        "3": [["21.2.2024", "Roll", 6]],
    }
    found = imported(xlsx_of(tmp_path / "b.xlsx", sheets))
    assert list(units_of(found).values()) == [5.0, 6.0]
    assert ("left out", "sheets without lines, or hidden: '1' of b.xlsx") in found.notes


@pytest.mark.parametrize("named", [("Day 2", "Day 3"), ("Day [23]",)])
def test_some_sheets_are_read_by_name_or_pattern(named: tuple[str, ...], tmp_path: Path) -> None:
    """The others may be anything."""
    sheets = SHAPES["a header a sheet"] | {"Notes": [["whatever"]]}
    path = xlsx_of(tmp_path / "book.xlsx", sheets)
    days = {day for day, _, _ in units_of(imported(path, sheets=named))}
    assert days == {"2024-02-21", "2024-02-22"}
    with pytest.raises(SettingsError, match=r"--sheet: found no such sheet.*wanted 'Tag 1'"):
        imported(path, sheets=("Day 1", "Tag 1"))


def test_hidden_sheets_are_read_only_by_name(tmp_path: Path) -> None:
    """What nobody sees isn't taken, and told."""
    sheets = SHAPES["a header a sheet"]
    path = xlsx_of(tmp_path / "book.xlsx", sheets, hidden="Day 1")
    found = imported(path)
    assert "2024-02-20" not in {day for day, _, _ in units_of(found)}
    assert any("'Day 1' of book.xlsx" in text for _, text in found.notes)
    assert len(units_of(imported(path, sheets=("Day 1",)))) == 3


def test_columns_can_be_told(tmp_path: Path) -> None:
    """Then the header is where they are, and nothing else is looked for."""
    rows: Rows = [["a", "b", "c"], ["Wann", "Was", "Wieviel"], [DAYS[0], "Roll", 5]]
    path = xlsx_of(tmp_path / "book.xlsx", {"A": rows})
    columns = Columns("Wann", "Wieviel", product="Was")
    assert units_of(imported(path, columns=columns)) == {("2024-02-20", "N", "Roll"): 5.0}
    with pytest.raises(SalesError, match="'Wan', named by --date; perhaps 'Wann'"):
        imported(path, columns=Columns("Wan", "Wieviel"))


def test_pages_of_a_report_are_one_table(tmp_path: Path) -> None:
    """A title and the header again on each page, the page's number among the units."""
    page: list[list[Cell]] = [["Report", None, None, "Page 1"], ["Nr", "Name", "Datum", "Menge"]]
    rows: Rows = [*page, [1, "Roll", DAYS[0], 3], *page, [2, "Cake", DAYS[0], 1]]
    found = imported(xlsx_of(tmp_path / "book.xlsx", {"A": rows}))
    assert list(units_of(found).values()) == [1.0, 3.0]


def test_merged_cells_of_an_open_document(tmp_path: Path) -> None:
    """They span rows there."""
    text = '<table:table-cell office:value-type="string"{}><text:p>{}</text:p></table:table-cell>'
    spanned = ' table:number-rows-spanned="2"'
    rows: list[list[tuple[str, str] | None]] = [
        [("", "Name"), ("", "Tag"), ("", "Menge")],
        [(spanned, "Roll"), (spanned, "20.2.2024"), ("", "5")],
        [None, None, ("", "6")],
        [("", "Cake"), ("", "20.2.2024"), ("", "7")],
    ]
    cells = [
        "".join(text.format(*c) if c else "<table:covered-table-cell/>" for c in row)
        for row in rows
    ]
    table = "".join(f"<table:table-row>{row}</table:table-row>" for row in cells)
    path = ods_file(tmp_path / "b.ods", f'<table:table table:name="A">{table}</table:table>')
    assert list(units_of(imported(path, till_lines=True)).values()) == [7.0, 11.0]


def test_a_name_in_brackets_is_a_name(tmp_path: Path) -> None:
    """Only columns without a name have their letter so, and aren't products."""
    rows: Rows = [["Datum", None, "(Bio) Rye"], [DAYS[0], 9, 5]]
    found = imported(xlsx_of(tmp_path / "b.xlsx", {"A": rows}), wide=True)
    assert units_of(found) == {("2024-02-20", "N", "(Bio) Rye"): 5.0}


def test_rows_of_another_file_go_with_one_sheet(tmp_path: Path) -> None:
    """Not with the first of several."""
    book = xlsx_of(tmp_path / "b.xlsx", SHAPES["a header a sheet"])
    with pytest.raises(SettingsError, match="--align-rows: found 9 sheets"):
        import_sales(ImportRequest(book, bakery_name="N", aligned=book))


def test_wide_workbooks(tmp_path: Path) -> None:
    """A column a product, a line a day."""
    rows: Rows = [["Datum", "Roll", "Cake"], [DAYS[0], 5, None], [DAYS[1], 6, 1.25]]
    path = xlsx_of(tmp_path / "book.xlsx", {"A": rows})
    assert units_of(imported(path, wide=True)) == {
        ("2024-02-20", "N", "Roll"): 5.0,
        ("2024-02-21", "N", "Roll"): 6.0,
        ("2024-02-21", "N", "Cake"): 1.25,
    }


BAD: dict[str, tuple[dict[str, Rows], str]] = {
    "no header": ({"A": [[1, 2], [3, 4]]}, "sheet 'A': found no header"),
    "no day": ({"A": [["Artikel", "Menge"], ["Roll", 5]]}, "found no day"),
    "prose": (
        SHAPES["a header a sheet"] | {"Notes": [["Dear all,"], ["see you", "soon"]]},
        "sheet 'Notes': found nothing like its header; wanted lines like those of the other",
    ),
    "two days above": (
        {"A": [["from", DAYS[0]], ["to", DAYS[8]], ["Artikel", "Menge"], ["Roll", 5]]},
        "the days 2024-02-20 and 2024-02-28 above the table",
    ),
    "no units": ({"A": [["Datum", "Artikel"], [DAYS[0], "Roll"]]}, "wanted what was sold named"),
    "two of units": (
        {"A": [["Datum", "Menge", "Anzahl"], [DAYS[0], 1, 2]]},
        "the columns Menge, Anzahl; wanted what was sold named by --units",
    ),
    "twice": (
        {"A": [["Datum", "Menge", "Menge"], [DAYS[0], 1, 2]]},
        "'Menge': found this column t",
    ),
    "returns": ({"A": [["Datum", "Menge"], [DAYS[0], -1.5]]}, "found '-1.5'; wanted 0 or more"),
    "a forgotten day": (
        {"A": [["Datum", "Menge"], [DAYS[0], 1], [DAYS[0], 1], [None, 2]]},
        "sheet 'A', line 4, column 'Datum': found nothing",
    ),
    "an error": (
        {"A": [["Datum", "Menge"], [DAYS[0], "#REF!"]]},
        "sheet 'A', line 2, column 'Menge': found '#REF!'; wanted a number",
    ),
    "a formula that never was computed": (
        {"A": [["Datum", "Menge"], [DAYS[0], "=1+1"]]},
        "found '=1+1'; wanted a number",
    ),
    "empty hours": (
        {"A": [["Datum", *HOURS], [DAYS[0], None, None, " "]]},
        "no rows that are kept",
    ),
    "days in an hour's place": (
        {"A": [["Artikel", *HOURS], ["Roll", DAYS[0], None, None]]},
        "wanted what was sold named by --units",
    ),
    "only headers": ({"A": [["Datum", "Menge"]]}, "sheets without a line"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_read_is_told_in_a_sentence(case: str, tmp_path: Path) -> None:
    """With the sheet where it stands."""
    sheets, words = BAD[case]
    with pytest.raises(GleanError) as caught:
        imported(xlsx_of(tmp_path / "book.xlsx", sheets))
    assert words in str(caught.value)


def test_time_grows_with_the_sheets_alone(tmp_path: Path) -> None:
    """Ninety sheets take hardly more than ten times as long as nine."""
    day = dt.date(2022, 1, 3)
    sheets: dict[str, Rows] = {
        f"Day {number}": [
            [german(day + dt.timedelta(number)), number, "Roll", 1, 2, 3],
            *([None, line, f"Cake {line}", 1, None, 2] for line in range(12)),
        ]
        for number in range(90)
    }
    few = dict(list(sheets.items())[:9])
    for some in (few, sheets):
        some["Day 0"] = [["", "Nr.", "Name", *HOURS], *some["Day 0"][-13:]]
    seconds = []
    for name, some in (("few", few), ("many", sheets)):
        path = xlsx_of(tmp_path / f"{name}.xlsx", some)
        start = time.process_time()
        found = imported(path)
        seconds.append(time.process_time() - start)
        assert len(found.table.rows) == 13 * len(some)
    assert seconds[1] < 15 * seconds[0] + 1.0
