"""What is wrong in an export or a request is named, all at once."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from glean.errors import SalesError
from glean.sales.importing.covariate_files import CovariateFile
from glean.sales.importing.exports import Notation
from glean.sales.importing.import_sales import import_sales
from glean.sales.importing.request import Columns, ImportRequest
from glean.sales.importing.selection import Selection
from tests.sales.importing.exports import EXPORT, LONG, file_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("d;u\n20240230;1\n20240501;1\n", "year, month, day; there is no such day"),
        ("d;u\n1.5.1950;1\n2.5.2024;1\n", "day, month, year; the year from 1970 to 2100"),
        ("d;u\n2024-05-01;1,5\n", "like 12.5 (the decimal mark told or detected)"),
    ],
)
def test_an_import_never_points_to_itself(text: str, words: str, tmp_path: Path) -> None:
    """What can't be read is told for what it is; that an import reads more is no help there."""
    columns = Columns(date="d", units="u")
    with pytest.raises(SalesError) as caught:
        import_sales(ImportRequest(file_of(tmp_path, text), columns, Notation(decimal=".")))
    assert words in str(caught.value)
    assert "glean data import" not in str(caught.value)


def test_problems_of_an_export_carry_its_own_columns_and_lines(tmp_path: Path) -> None:
    """What is wrong in an export is told in the words of that export, all at once."""
    text = EXPORT + "2;31.02.2024;Brötchen;1,0;\n;15.05.2024;Brötchen;viel;\n"
    with pytest.raises(SalesError) as caught:
        import_sales(ImportRequest(file_of(tmp_path, text), LONG))
    message = str(caught.value)
    assert "line 5, column 'Datum': found '31.02.2024'; wanted a date: day, month" in message
    assert "line 6, column 'Filiale': found nothing" in message
    assert "line 6, column 'Menge': found 'viel'; wanted a number with a decimal comma" in message


FAULTY = (
    "Filiale;Datum;Artikel;Menge;zu;Preis\n"
    "1;13.05.2024;Brot;5;0;1\n"
    "1;14.05.2024;Brot\n"
    "1;31.02.2024;Brot;5;0;1\n"
    "1;15.05.2024;Brot;-5;0;teuer\n"
    "1;16.05.2024;Brot;viel;so;1\n"
    ";17.05.2024;;1;0;1\n"
    "1;20.05.2024;Torte;5;0;1\n"
    "1;20.05.2024;Torte;5;0;1\n"
)


FAULTS: set[tuple[int | None, str]] = {
    (3, ""),
    (4, "Datum"),
    (5, "Menge"),
    (5, "Preis"),
    (6, "Menge"),
    (6, "zu"),
    (7, "Filiale"),
    (7, "Artikel"),
    (9, "Datum"),
}


@pytest.mark.parametrize("mistyped", ["", "Datum", "Filiale", "Artikel", "Menge", "zu", "Preis"])
def test_every_problem_of_an_export_comes_in_one_go(mistyped: str, tmp_path: Path) -> None:
    """Short lines and a mistyped column hide nothing of what is wrong elsewhere."""

    def typed(column: str) -> str:
        return "wrong" if column == mistyped else column

    columns = Columns(
        date=typed("Datum"),
        units=typed("Menge"),
        bakery=typed("Filiale"),
        product=typed("Artikel"),
        closed=typed("zu"),
        kept={typed("Preis"): "price"},
    )
    selection = Selection(since=dt.date(2024, 5, 1))
    request = ImportRequest(file_of(tmp_path, FAULTY), columns, selection=selection)
    with pytest.raises(SalesError) as caught:
        import_sales(request)
    expected = {(line, column) for line, column in FAULTS if not mistyped or column != mistyped}
    if mistyped:
        expected.add((None, "wrong"))
    if mistyped in ("Filiale", "Artikel"):  # whether a day is there twice isn't known
        expected.remove((9, "Datum"))
    assert {(problem.line, problem.column) for problem in caught.value.problems} == expected


def test_every_problem_of_a_weather_file_comes_in_one_go(tmp_path: Path) -> None:
    """A short line there hides no bad number below it."""
    weather = file_of(tmp_path, "day;t\n1.5.2024\n13.5.2024;warm\n", "weather.csv")
    covariates = CovariateFile(weather, columns={"t": "t"})
    with pytest.raises(SalesError) as caught:
        import_sales(ImportRequest(file_of(tmp_path, EXPORT), LONG, covariates=covariates))
    assert [problem.line for problem in caught.value.problems] == [2, 3]


def test_unknown_columns_are_named_with_what_may_be_meant(tmp_path: Path) -> None:
    """A mistyped column is reported with its option, the columns there are and the nearest."""
    columns = Columns(date="Datm", units="Menge", bakery="Ort")
    with pytest.raises(SalesError) as caught:
        import_sales(ImportRequest(file_of(tmp_path, EXPORT), columns))
    assert "'Datm', named by --date; perhaps 'Datum'?" in str(caught.value)
    assert "'Ort', named by --bakery" in str(caught.value)
    assert "Filiale, Datum, Artikel, Menge, Preis" in str(caught.value)


def test_problems_in_wide_files_name_the_column_of_the_product(tmp_path: Path) -> None:
    """A bad cell of a melted file is told by the column it stands in."""
    cake = ["x", "7", "9", "1", "inf"]
    lines = [f"2024-05-0{day},5,{units}\n" for day, units in enumerate(cake, start=1)]
    text = "day,roll,cake\n" + "".join(lines)
    with pytest.raises(SalesError) as caught:
        import_sales(ImportRequest(file_of(tmp_path, text), Columns(date="day"), wide=True))
    assert "line 2, column 'cake': found 'x'" in str(caught.value)
    assert "line 6, column 'cake': found 'inf'" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [("d,p,u\n", "a header and no lines"), ("d,p,u\n2024-05-01,NONE,1\n", "no rows that are kept")],
)
@pytest.mark.parametrize("till_lines", [True, False])
def test_exports_without_a_line_are_refused(
    text: str, words: str, till_lines: bool, tmp_path: Path
) -> None:
    """A header alone, or nothing left after the options, has a message of its own."""
    request = ImportRequest(
        file_of(tmp_path, text),
        Columns(date="d", product="p", units="" if till_lines else "u"),
        till_lines=till_lines,
        ignored_items=("NONE",),
    )
    with pytest.raises(SalesError, match=words):
        import_sales(request)


def test_what_one_option_settles_is_told_three_times_and_counted(tmp_path: Path) -> None:
    """Ten returns beside ten sales: three, the rest as one, and no day for standing twice."""
    days = [f"2024-05-{day:02d};{units}" for day in range(1, 11) for units in ("5", "-1")]
    path = file_of(tmp_path, "\n".join(["d;u", *days, "2024-05-01;7\n"]))
    with pytest.raises(SalesError) as caught:
        import_sales(ImportRequest(path, Columns(date="d", units="u")))
    told = [(problem.line, problem.column) for problem in caught.value.problems]
    assert told == [(3, "u"), (5, "u"), (7, "u"), (9, "u"), (22, "d")]
    assert caught.value.problems[3].found == "7 more lines like the ones above, from here on"
