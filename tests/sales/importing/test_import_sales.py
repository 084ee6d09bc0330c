from __future__ import annotations

import datetime as dt
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.errors import GleanError, SalesError, SettingsError
from glean.sales.importing.covariate_files import CovariateFile
from glean.sales.importing.exports import Notation
from glean.sales.importing.import_sales import Imported, import_sales
from glean.sales.importing.notation import detect_date_order, detect_decimal
from glean.sales.importing.request import Columns, ImportRequest
from glean.sales.importing.selection import Selection
from glean.sales.importing.tills import LONGEST_GAP_DAYS, with_zero_days
from glean.sales.reading.sheet import Sheet, texts_of

LONG = Columns(date="Datum", bakery="Filiale", product="Artikel", units="Menge")
EXPORT = (
    "Filiale;Datum;Artikel;Menge;Preis\n"
    "1;13.05.2024;Brötchen;1.412,5;0,45\n"
    "1;14.05.2024;Brötchen;388;0,45\n"
    "2;14.05.2024;Brötchen;12,25;0,5\n"
)


def file_of(folder: Path, content: str, name: str = "export.csv", code: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(content.encode(code))
    return path


def units_of(imported: Imported) -> dict[tuple[str, str, str], float]:
    rows = imported.table.rows
    days = rows["date"].dt.strftime("%Y-%m-%d")
    keys = zip(days, rows["bakery"], rows["product"], strict=True)
    return dict(zip(keys, rows["units"], strict=True))


def sheet_of(column: str, texts: list[str]) -> Sheet:
    return Sheet("f.csv", {column: texts_of(texts)}, pd.RangeIndex(2, len(texts) + 2).to_numpy())


@pytest.mark.parametrize("code", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_writing_of_a_german_export_is_found_out(code: str, delimiter: str, tmp_path: Path) -> None:
    """Encoding, delimiter, decimal commas, thousands and day-first dates are detected and told."""
    path = file_of(tmp_path, EXPORT.replace(";", delimiter), code=code)
    imported = import_sales(ImportRequest(path, LONG))
    assert units_of(imported) == {
        ("2024-05-13", "1", "Brötchen"): 1412.5,
        ("2024-05-14", "1", "Brötchen"): 388.0,
        ("2024-05-14", "2", "Brötchen"): 12.25,
    }
    told = " / ".join(f"{label} {text}" for label, text in imported.notes)
    names = {";": "semicolon", "\t": "tab", "|": "bar"}
    assert f"encoding {code}" in told
    assert f"a {names[delimiter]} between" in told
    assert "day, month, year, like 13.05.2024 (detected)" in told
    assert "decimal comma (detected)" in told


def test_a_stated_delimiter_is_believed(tmp_path: Path) -> None:
    """Excel's `sep=;` wins over what the lines look like; what is told wins over both."""
    path = file_of(tmp_path, '"sep=;"\nd;u;p\n2024-05-01;1,5;a,b\n2024-05-02;2,5;a,b\n')
    columns = Columns(date="d", units="u", product="p")
    assert import_sales(ImportRequest(path, columns)).table.rows["units"].tolist() == [1.5, 2.5]
    with pytest.raises(SalesError):
        import_sales(ImportRequest(path, columns, Notation(delimiter=",")))


def test_what_is_told_beats_what_is_found(tmp_path: Path) -> None:
    """Options decide where a file could be read in two ways."""
    text = "Filiale,Datum,Artikel,Menge\n1,03/04/2024,Roll,1.500\n"
    request = ImportRequest(
        file_of(tmp_path, text), LONG, Notation(date_order="mdy", decimal=",", delimiter=",")
    )
    imported = import_sales(request)
    assert units_of(imported) == {("2024-03-04", "1", "Roll"): 1500.0}
    assert ("numbers", "decimal comma (as told)") in imported.notes


@pytest.mark.parametrize(
    ("texts", "decimal"),
    [
        (["1", "20"], "."),
        (["1.5", "2"], "."),
        (["1,5", "2"], ","),
        (["1,234.5"], "."),
        (["1.234,5"], ","),
        (["1.234", "1,5"], ","),
        (["0,125"], ","),
        (["1 000,5"], ","),
        (["1\u202f000,500"], ","),
        (["1'000.5 \u20ac"], "."),
        (["1.234.567"], ","),
        (["1.234", "5.678"], None),
        (["1,234", "12"], None),
    ],
)
def test_decimal_mark(texts: list[str], decimal: str | None) -> None:
    """The mark follows from any number that has only one reading; else it is asked for."""
    sheet = sheet_of("Menge", texts)
    if decimal is None:
        with pytest.raises(SalesError, match="--decimal"):
            detect_decimal(sheet, ["Menge"])
    else:
        assert detect_decimal(sheet, ["Menge"]) == decimal


@pytest.mark.parametrize(
    ("texts", "order"),
    [
        (["2024-03-04"], "ymd"),
        (["2024/03/04 10:30"], "ymd"),
        (["03.04.2024"], "dmy"),
        (["3.4.24 08:00"], "dmy"),
        (["13/04/2024", "03/04/2024"], "dmy"),
        (["04/13/2024", "03/04/2024"], "mdy"),
        (["05/05/2024"], "dmy"),
        (["03/04/2024", "05/06/2024"], None),
        (["20240304"], "ymd"),
        (["nonsense"], "ymd"),
    ],
)
def test_date_order(texts: list[str], order: str | None) -> None:
    """The order follows from any date that has only one reading; else it is asked for."""
    sheet = sheet_of("Datum", texts)
    if order is None:
        with pytest.raises(SalesError, match="--date-order dmy or --date-order mdy") as caught:
            detect_date_order(sheet, "Datum")
        assert "2024-04-03 or 2024-03-04" in str(caught.value)
    else:
        assert detect_date_order(sheet, "Datum") == order


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("1 000,5", 1000.5),
        ("1\u202f000,5", 1000.5),
        ("1\u00a0234\u00a0567,5", 1234567.5),
        ("1'000,5", 1000.5),
        ("12,50 \u20ac", 12.5),
        ("\u20ac 1.000,50", 1000.5),
        ("1 00,5", None),
        ("1 000'000,5", None),
        ("12,50 Euro", None),
    ],
)
def test_thousands_marks_and_signs_of_currency(
    text: str, units: float | None, tmp_path: Path
) -> None:
    """Blanks and apostrophes are read where the groups are right, and a sign of money is not."""
    path = file_of(tmp_path, f"d;u\n2024-05-01;{text}\n2024-05-02;0,5\n")
    request = ImportRequest(path, Columns(date="d", units="u"))
    if units is None:
        with pytest.raises(SalesError, match="wanted a number with a decimal comma"):
            import_sales(request)
    else:
        assert import_sales(request).table.rows["units"][0] == units


def test_compact_dates_are_read(tmp_path: Path) -> None:
    """Dates like 20240501 are read in sales and in weather, where services write them."""
    path = file_of(tmp_path, "d,u\n20240501,1\n20240502,2\n")
    weather = file_of(tmp_path, "day;t\n20240501;9.5\n20240502;8\n", "weather.csv")
    imported = import_sales(
        ImportRequest(path, Columns(date="d", units="u"), covariates=CovariateFile(weather))
    )
    assert imported.table.rows["date"].dt.strftime("%Y-%m-%d").tolist() == [
        "2024-05-01",
        "2024-05-02",
    ]
    assert imported.table.rows["t"].tolist() == [9.5, 8.0]


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


def test_kept_columns_get_their_new_names(tmp_path: Path) -> None:
    """Further columns come along, read with the same decimal mark."""
    columns = Columns(**{**vars(LONG), "kept": {"Preis": "price"}})
    rows = import_sales(ImportRequest(file_of(tmp_path, EXPORT), columns)).table.rows
    assert list(rows["price"]) == [0.45, 0.45, 0.5]


@pytest.mark.parametrize("till_lines", [False, True])
def test_columns_that_do_not_come_along_are_named(till_lines: bool, tmp_path: Path) -> None:
    """Glean's own columns too are only kept if asked for, and the report says how."""
    text = "date,units,note,price,promotion\n2024-05-01,3,dull,0.45,1\n"
    columns = Columns(date="date", units="units", kept={"promotion": "promotion"})
    path = file_of(tmp_path, text)
    notes = import_sales(ImportRequest(path, columns, till_lines=till_lines)).notes
    assert ("not used", "the columns note, price") in notes
    assert any(words.startswith("--keep price would keep one") for _, words in notes)
    kept = {name: name for name in ("promotion", "price")}
    path = file_of(tmp_path, text.replace(",note", "").replace(",dull", ""))
    all_used = import_sales(ImportRequest(path, Columns("date", "units", kept=kept)))
    assert "not used" not in dict(all_used.notes)


def test_names_lose_stray_spaces(tmp_path: Path) -> None:
    """Names that differ in spaces only become one, and the report says so."""
    text = "d,p,u\n2024-05-01, Rye  bread ,1\n2024-05-02,Rye bread,2\n"
    columns = Columns(date="d", product="p", units="u")
    imported = import_sales(ImportRequest(file_of(tmp_path, text), columns, bakery_name="North"))
    assert set(imported.table.rows["product"]) == {"Rye bread"}
    assert imported.table.bakeries == ("North",)
    assert ("tidied", "1 names in 'p': stray spaces") in imported.notes


@pytest.mark.parametrize("returns", ["net", "drop", None])
def test_returns(returns: str | None, tmp_path: Path) -> None:
    """Returns are netted within the day, dropped, or an error that offers both."""
    text = "Datum,Menge\n2024-05-01,5\n2024-05-01,-2\n2024-05-02,-2\n"
    request = ImportRequest(
        file_of(tmp_path, text),
        Columns(date="Datum", units="Menge"),
        returns=returns,
        bakery_name="A",
    )
    if returns is None:
        with pytest.raises(SalesError, match="--returns net"):
            import_sales(request)
        return
    expected = {"net": {1: 3.0, 2: 0.0}, "drop": {1: 5.0}}[returns]
    found = units_of(import_sales(request))
    assert found == {(f"2024-05-0{day}", "A", "all"): units for day, units in expected.items()}


def test_till_lines_are_summed_as_by_hand(tmp_path: Path) -> None:
    """Random till lines give the sums of a plain loop; ignored items and times don't count."""
    draw = np.random.default_rng(7)
    expected: dict[tuple[str, str], float] = defaultdict(float)
    lines = ["When,Item,Qty"]
    for _ in range(400):
        day, item = (
            f"2024-05-{draw.integers(1, 10):02d}",
            str(draw.choice(["Roll", "Cake", "NONE"])),
        )
        quantity = int(draw.integers(1, 4))
        lines.append(f"{day} {draw.integers(6, 19)}:30:00,{item},{quantity}")
        if item != "NONE":
            expected[day, item] += quantity
    path = file_of(tmp_path, "\n".join(lines))
    columns = Columns(date="When", product="Item", units="Qty")
    request = ImportRequest(path, columns, till_lines=True, ignored_items=("NONE",), zeros=False)
    found = {
        (day, item): units for (day, _, item), units in units_of(import_sales(request)).items()
    }
    assert found == dict(expected)
    ones = ImportRequest(path, Columns(date="When"), till_lines=True)
    assert sum(units_of(import_sales(ones)).values()) == 400.0


SALES = st.lists(st.tuples(st.integers(0, 90), st.sampled_from("ab")), min_size=1, unique=True)


@given(sold=SALES)
def test_zero_days_are_those_of_a_plain_loop(sold: list[tuple[int, str]]) -> None:
    """A zero stands where the shop was open and the product's gap between sales is short."""
    start = pd.Timestamp("2024-01-01")
    frame = pd.DataFrame(sold, columns=["date", "product"]).assign(bakery="A", units=1.0)
    frame["date"] = start + pd.to_timedelta(frame["date"], unit="D")
    filled, count = with_zero_days(frame)
    zeros = filled[filled["units"] == 0.0]
    expected = set()
    for day in {day for day, _ in sold}:
        for product in "ab":
            days = [at for at, of in sold if of == product]
            before = max((at for at in days if at < day), default=-1000)
            after = min((at for at in days if at > day), default=1000)
            if day not in days and after - before <= LONGEST_GAP_DAYS:
                expected.add((day, product))
    days_found = (zeros["date"] - start).dt.days
    assert set(zip(days_found, zeros["product"], strict=True)) == expected
    assert count == len(expected) == len(filled) - len(sold)


def test_zero_days_carry_the_flags_of_the_day(tmp_path: Path) -> None:
    """A row added for an unsold product knows that the day was a holiday."""
    text = "d,p,h\n2024-05-01,a,0\n2024-05-02,b,1\n2024-05-03,a,0\n2024-05-03,b,0\n"
    columns = Columns(date="d", product="p", kept={"h": "holiday"})
    rows = import_sales(ImportRequest(file_of(tmp_path, text), columns, till_lines=True)).table.rows
    added = rows[rows["units"] == 0]
    assert added[["product", "holiday"]].to_numpy().tolist() == [["a", 1.0]]


def test_wide_files_are_melted(tmp_path: Path) -> None:
    """Each number column becomes a product; empty cells are left out, zeros stay."""
    text = "day,weekday,roll,cake\n2024-05-01,Wed,5,0\n2024-05-02,Thu,,2\n"
    path = file_of(tmp_path, text)
    imported = import_sales(ImportRequest(path, Columns(date="day"), wide=True, bakery_name="A"))
    assert units_of(imported) == {
        ("2024-05-01", "A", "roll"): 5.0,
        ("2024-05-01", "A", "cake"): 0.0,
        ("2024-05-02", "A", "cake"): 2.0,
    }
    assert ("not used", "the columns weekday") in imported.notes
    one = ImportRequest(path, Columns(date="day"), wide=True, products=("cake",))
    assert set(import_sales(one).table.rows["product"]) == {"cake"}


def test_problems_in_wide_files_name_the_column_of_the_product(tmp_path: Path) -> None:
    """A bad cell of a melted file is told by the column it stands in."""
    cake = ["x", "7", "9", "1", "inf"]
    lines = [f"2024-05-0{day},5,{units}\n" for day, units in enumerate(cake, start=1)]
    text = "day,roll,cake\n" + "".join(lines)
    with pytest.raises(SalesError) as caught:
        import_sales(ImportRequest(file_of(tmp_path, text), Columns(date="day"), wide=True))
    assert "line 2, column 'cake': found 'x'" in str(caught.value)
    assert "line 6, column 'cake': found 'inf'" in str(caught.value)


def test_rows_are_aligned_and_closed_days_left_out(tmp_path: Path) -> None:
    """Dates and closing days of a second file stand beside the sales, line by line."""
    path = file_of(tmp_path, "roll\n5\n0\n6\n")
    days = file_of(tmp_path, "d;shut;t\n01.05.24;0;9,5\n02.05.24;1;8\n03.05.24;0;7\n", "days.csv")
    columns = Columns(date="d", closed="shut", kept={"t": "temperature_c"})
    request = ImportRequest(path, columns, wide=True, aligned=days, bakery_name="A")
    imported = import_sales(request)
    assert units_of(imported) == {
        ("2024-05-01", "A", "roll"): 5.0,
        ("2024-05-03", "A", "roll"): 6.0,
    }
    assert list(imported.table.rows["temperature_c"]) == [9.5, 7.0]
    file_of(tmp_path, "d,roll\n2024-05-01,1\n", "days.csv")
    with pytest.raises(SalesError) as caught:
        import_sales(request)
    assert "found 1 lines; wanted 3" in str(caught.value)
    assert "a column of both files" in str(caught.value)


WEATHER = "\ufeffDate;ttav;code\n13.05.2024;4,125;NULL\n14.05.2024;-0,5;3\n"


def test_covariates_are_joined_by_date(tmp_path: Path) -> None:
    """Weather in another writing comes along; NULL is empty, days without a line stay empty."""
    weather = file_of(tmp_path, WEATHER.replace("14.05", "15.05"), "weather.csv")
    covariates = CovariateFile(weather, columns={"ttav": "temperature_c", "code": "code"})
    imported = import_sales(ImportRequest(file_of(tmp_path, EXPORT), LONG, covariates=covariates))
    rows = imported.table.rows
    assert rows["temperature_c"].fillna(-99.0).tolist() == [4.125, -99.0, -99.0]
    assert rows["code"].isna().all()
    assert ("covariates", "1 of 2 days are in weather.csv; the others stay empty") in imported.notes


@pytest.mark.parametrize(
    ("content", "columns", "words"),
    [
        (WEATHER + "14.05.2024;1,0;1\n", {}, "line 4, column 'Date'"),
        (WEATHER, {"ttav": "units"}, "a name that the format doesn't use"),
        (WEATHER, {"tavg": "temperature_c"}, "perhaps 'ttav'?"),
        (WEATHER, {"code": "holiday"}, "0 or 1"),
        ("a,b\n1,2\n", {}, "--covariate-date"),
        (WEATHER.replace("4,125", "warm"), {"ttav": "t"}, "found 'warm'"),
        ("d;t\n03/04/2024;1\n", {}, "--covariate-date-order dmy or --covariate-date-order mdy"),
        ("d;t\n13.05.2024;1,125\n", {}, "--covariate-decimal ."),
    ],
)
def test_bad_covariates(content: str, columns: dict[str, str], words: str, tmp_path: Path) -> None:
    """Each way in which a covariate file can't be joined has its message."""
    covariates = CovariateFile(file_of(tmp_path, content, "weather.csv"), columns=columns)
    request = ImportRequest(file_of(tmp_path, EXPORT), LONG, covariates=covariates)
    with pytest.raises(SalesError) as caught:
        import_sales(request)
    assert words in str(caught.value)
    assert "weather.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("yes", "no"),
    [
        ("ja", "nein"),
        ("Yes", "No"),
        ("true", "false"),
        ("TRUE", "FALSE"),
        ("oui", "non"),
        ("x", ""),
        ("1", "NULL"),
        ("1,0", "0,0"),
    ],
)
def test_flags_in_words_are_read(yes: str, no: str, tmp_path: Path) -> None:
    """What tills and calendars write for yes and no becomes 1 and 0, and nothing becomes 0."""
    text = f"d;u;Aktion;zu\n1.5.2024;3,5;{yes};{no}\n2.5.2024;1;{no};{no}\n3.5.2024;1;;{yes}\n"
    weather = file_of(tmp_path, f"day;holiday\n2024-05-01;{no}\n2024-05-02;{yes}\n", "w.csv")
    columns = Columns(date="d", units="u", closed="zu", kept={"Aktion": "promotion"})
    request = ImportRequest(
        file_of(tmp_path, text), columns, covariates=CovariateFile(weather, date="day")
    )
    rows = import_sales(request).table.rows
    assert rows[["promotion", "holiday"]].to_numpy().tolist() == [[1.0, 0.0], [0.0, 1.0]]


@pytest.mark.parametrize("column", ["zu", "Aktion"])
def test_flags_that_are_neither_are_told(column: str, tmp_path: Path) -> None:
    """A word that is no flag is a problem, with what would be one."""
    text = "d;u;Aktion;zu\n1.5.2024;3;0;0\n".replace(";0;0", ";so;0" if column != "zu" else ";0;so")
    columns = Columns(date="d", units="u", closed="zu", kept={"Aktion": "promotion"})
    words = f"column '{column}': found 'so'; wanted 0 or 1, or yes or no"
    with pytest.raises(SalesError, match=words):
        import_sales(ImportRequest(file_of(tmp_path, text), columns))


def test_public_holidays_of_a_region(tmp_path: Path) -> None:
    """The German reunification day is a holiday, the day after isn't; nonsense is refused."""
    path = file_of(tmp_path, "d,u\n2024-10-03,1\n2024-10-04,2\n")
    columns = Columns(date="d", units="u")
    rows = import_sales(ImportRequest(path, columns, region="DE-SH")).table.rows
    assert list(rows["holiday"]) == [1.0, 0.0]
    with pytest.raises(SettingsError):
        import_sales(ImportRequest(path, columns, region="Atlantis"))


def test_selection_of_days_and_bakeries(tmp_path: Path) -> None:
    """Days are cut first, then short bakeries left out, then the first by name kept."""
    lines = [
        f"{bakery},2024-05-{day:02d},1"
        for bakery, days in {"a": 9, "b": 3, "c": 9, "d": 9}.items()
        for day in range(1, days + 1)
    ]
    path = file_of(tmp_path, "\n".join(["b,d,u", *lines]))
    selection = Selection(dt.date(2024, 5, 2), dt.date(2024, 5, 8), min_days=7, first=2)
    request = ImportRequest(path, Columns(date="d", units="u", bakery="b"), selection=selection)
    table = import_sales(request).table
    assert table.bakeries == ("a", "c")
    assert table.rows["date"].min() == pd.Timestamp("2024-05-02")
    assert len(table.rows) == 14
    nothing = ImportRequest(path, request.columns, selection=Selection(min_days=10))
    with pytest.raises(SalesError, match="no rows that are kept"):
        import_sales(nothing)


def test_lines_outside_the_days_asked_for_may_be_odd(tmp_path: Path) -> None:
    """A return after --until is no problem, since the line isn't wanted."""
    path = file_of(tmp_path, "d,u\n2024-05-01,1\n2024-05-02,-1\n")
    selection = Selection(until=dt.date(2024, 5, 1))
    request = ImportRequest(path, Columns(date="d", units="u"), selection=selection)
    assert len(import_sales(request).table.rows) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"returns": "keep"}, "--returns: found 'keep'"),
        ({"wide": True, "till_lines": True}, "--wide"),
        ({"products": ("a",)}, "--products"),
        ({"till_lines": True, "ignored_items": ("a",)}, "--ignore-item"),
        ({}, "--units: found nothing"),
        ({"columns": Columns(date="d", units="u", kept={"x": "date"})}, "--keep"),
        (
            {"columns": Columns(date="d", units="u", product="u")},
            "'u' twice, --units and --product",
        ),
        (
            {"columns": Columns(date="d", units="u", kept={"d": "x"})},
            "'d' twice, --date and --keep",
        ),
        ({"wide": True, "products": ("a", "d")}, "'d' twice, --date and --products"),
        ({"columns": Columns(date=""), "wide": True}, "--date: found nothing"),
        (
            {"columns": Columns(date="d", units="u", bakery="b"), "bakery_name": "North"},
            "--bakery-name: found --bakery as well",
        ),
    ],
)
def test_contradicting_options_are_refused(options: dict[str, object], words: str) -> None:
    """Options that exclude or need one another are told apart before the file is read."""
    given_options = {"path": Path("none.csv"), "columns": Columns(date="d")} | options
    with pytest.raises(SettingsError, match=words):
        ImportRequest(**given_options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["(all)", "No\nrth", "North\x00", "  "])
def test_names_that_no_table_may_have_are_refused(name: str) -> None:
    """A bakery can't be given, by option or by the file's name, a name that reading refuses."""
    columns = Columns(date="d", units="u")
    for request in ({"path": Path("f.csv"), "bakery_name": name}, {"path": Path(f"{name}.csv")}):
        with pytest.raises(SettingsError, match="--bakery-name: found"):
            ImportRequest(columns=columns, **request)
    named = ImportRequest(Path("(all).csv"), Columns(date="d", units="u", bakery="b"))
    assert named.columns.bakery == "b"


@pytest.mark.parametrize(
    "make",
    [
        lambda: Notation(delimiter="#"),
        lambda: Notation(decimal="'"),
        lambda: Notation(date_order="ydm"),
        lambda: Selection(dt.date(2024, 2, 1), dt.date(2024, 1, 1)),
        lambda: Selection(first=-1),
    ],
)
def test_impossible_values_are_refused(make: object) -> None:
    """A choice that there isn't is refused by name."""
    assert callable(make)
    with pytest.raises(GleanError, match="--"):
        make()


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


def test_a_stray_byte_does_not_change_the_encoding(tmp_path: Path) -> None:
    """A file in UTF-8 but for one byte is refused by line, and read as cp1252 if so told."""
    path = tmp_path / "export.csv"
    path.write_bytes(EXPORT.encode() + "2;15.05.2024;Brötchen;3;0,5\n".encode("cp1252"))
    with pytest.raises(SalesError, match="line 5: found a byte that isn't UTF-8") as caught:
        import_sales(ImportRequest(path, LONG))
    assert "--encoding cp1252" in str(caught.value)
    rows = import_sales(ImportRequest(path, LONG, Notation(encoding="cp1252"))).table.rows
    assert set(rows["product"]) == {"Brötchen", "BrÃ¶tchen"}


def test_wrong_encoding_is_told_by_line(tmp_path: Path) -> None:
    """A file that isn't in the encoding told says where; an unknown encoding is refused."""
    path = file_of(tmp_path, EXPORT, code="cp1252")
    with pytest.raises(SalesError, match="line 2: found the byte 0xf6"):
        import_sales(ImportRequest(path, LONG, Notation(encoding="utf-8")))
    with pytest.raises(SalesError, match="the encoding 'klingon'"):
        import_sales(ImportRequest(path, LONG, Notation(encoding="klingon")))
