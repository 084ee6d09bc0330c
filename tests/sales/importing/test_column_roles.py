"""Columns that nobody named are found by their name and what stands in them, or asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from glean.errors import SalesError
from glean.sales.importing.column_roles import find_roles
from glean.sales.importing.column_words import hour_columns
from glean.sales.importing.import_sales import import_sales
from glean.sales.importing.request import Columns, ImportRequest
from glean.sales.importing.total_words import is_total
from glean.sales.reading.sheet import texts_of
from tests.sales.importing.exports import EXPORT, LONG, file_of, units_of

DAYS = texts_of(["1.5.2024", "2.5.2024"])
NAMES = texts_of(["Roll", "Cake"])
NUMBERS = texts_of(["5", "1.200,5"])


def test_a_csv_needs_no_option_if_its_columns_are_called_as_usual(tmp_path: Path) -> None:
    """What is found is what one would have told."""
    path = file_of(tmp_path, EXPORT)
    found = import_sales(ImportRequest(path))
    assert units_of(found) == units_of(import_sales(ImportRequest(path, LONG)))
    words = "day 'Datum', bakery 'Filiale', product 'Artikel', units 'Menge'"
    assert ("columns", f"{words} (told or found)") in found.notes


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (
            {"Artikel": NUMBERS, "Bezeichnung": NAMES, "Tag": DAYS, "Menge": NUMBERS},
            Columns("Tag", "Menge", product="Bezeichnung"),
        ),
        ({"Artikel": NAMES, "x": DAYS, "Qty:": NUMBERS}, Columns("x", "Qty:", product="Artikel")),
        ({"Name": NAMES, "Umsatz": NUMBERS}, Columns(product="Name")),
        (
            {"Datum": DAYS, "8 Uhr": NUMBERS, "9 Uhr": NUMBERS, "10-11 Uhr": NUMBERS},
            Columns("Datum", hours=("8 Uhr", "9 Uhr", "10-11 Uhr")),
        ),
        ({"Shop": NAMES, "Date": DAYS, "sold": NUMBERS}, Columns("Date", "sold", bakery="Shop")),
    ],
)
def test_columns_are_found(cells: dict[str, object], expected: Columns) -> None:
    """By their names, in any language, and by days, texts or numbers in them."""
    assert find_roles(cells, ImportRequest(Path("f.csv")), "f.csv") == expected  # type: ignore[arg-type]


def test_what_is_told_is_not_looked_for() -> None:
    """Nor a bakery's column if the bakery has a name; nor anything, once day and units are told."""
    cells = {"Filiale": NAMES, "Datum": DAYS, "Menge": NUMBERS, "Preis": NUMBERS, "Name": NAMES}
    told = Columns(units="Preis", product="Filiale")
    request = ImportRequest(Path("f.csv"), told, bakery_name="N")
    assert find_roles(cells, request, "f") == Columns("Datum", "Preis", product="Filiale")
    complete = ImportRequest(Path("f.csv"), Columns("Datum", "Menge"))
    assert find_roles(cells, complete, "f") == complete.columns
    wide = find_roles(cells, ImportRequest(Path("f.csv"), wide=True), "f")
    assert wide == Columns("Datum", bakery="Filiale")


def test_a_name_of_the_first_file_may_mean_something_else_in_the_second(tmp_path: Path) -> None:
    """There the column that is the product is taken, whatever else is called so."""
    first = file_of(tmp_path, "Datum;Name;Menge\n1.5.2024;Roll;3\n", "a.csv")
    second = file_of(tmp_path, "Name;Menge;Datum;Artikelname\n17;4;2.5.2024;Cake\n", "b.csv")
    third = file_of(tmp_path, "Datum;Menge;Name;Anzahl\n3.5.2024;x;Rye;5\n", "c.csv")
    request = ImportRequest(first, bakery_name="N", further=(second,))
    assert units_of(import_sales(request)) == {
        ("2024-05-01", "N", "Roll"): 3.0,
        ("2024-05-02", "N", "Cake"): 4.0,
    }
    request = ImportRequest(first, bakery_name="N", further=(third,))
    assert units_of(import_sales(request))["2024-05-03", "N", "Rye"] == 5.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a;b;Menge\n1.5.2024;2.5.2024;3\n", "2 columns of days, a, b; wanted one; name it by --d"),
        ("Datum;Menge;Anzahl\n1.5.2024;2;3\n", "the columns Menge, Anzahl; wanted what was sold"),
        ("Name;Menge\nRoll;2\n", "the columns Name, Menge; wanted a column of days named by --d"),
        ("Datum;Umsatz\n1.5.2024;2\n", "wanted what was sold named by --units"),
    ],
)
def test_what_is_open_is_asked(text: str, words: str, tmp_path: Path) -> None:
    """With the option that tells it."""
    with pytest.raises(SalesError, match=words):
        import_sales(ImportRequest(file_of(tmp_path, text)))


@pytest.mark.parametrize(
    ("names", "hours"),
    [
        (["08:00", "09:00", "10:00"], 3),
        (["8", "9", "10", "11"], 4),
        (["08:00:00", "09:00:00", "10:00:00"], 3),
        (["8-9 Uhr", "9\u201310 Uhr", "10-11"], 3),
        (["08:00", "09:00"], 0),
        (["1", "2", "45", "46"], 0),
        (["Roll", "Cake", "Rye"], 0),
        (["10", "9", "8"], 0),
        (["1", "2", "3", "4"], 0),
        ([str(day) for day in range(5, 32)], 0),
        (["0", "1", "2", "3"], 4),
    ],
)
def test_hours(names: list[str], hours: int) -> None:
    """Three or more in a row."""
    assert hour_columns(names) == names[:hours]


@pytest.mark.parametrize(
    ("text", "total"),
    [
        ("Summe", True),
        ("GESAMT:", True),
        ("Tagessumme 4.3.2024", True),
        ("Umsatz gesamt", True),
        ("Total net", True),
        ("Grand total", True),
        ("Totals", True),
        ("Total Croissants", False),
        ("Summer roll", False),
        ("Gesamtkorn", False),
        ("", False),
    ],
)
def test_total_lines(text: str, total: bool) -> None:
    """By words that say nothing else."""
    assert is_total(text) is total
