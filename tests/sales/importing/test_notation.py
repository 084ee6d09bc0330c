"""How an export is written: encoding, delimiter, dates, numbers, currency."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from glean.errors import SalesError
from glean.sales.importing.covariate_files import CovariateFile
from glean.sales.importing.exports import Notation
from glean.sales.importing.import_sales import import_sales
from glean.sales.importing.notation import detect_date_order, detect_decimals
from glean.sales.importing.request import Columns, ImportRequest
from tests.sales.importing.exports import EXPORT, LONG, file_of, sheet_of, units_of


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
    assert "day, month, year, like 13.05.2024 = 2024-05-13 (detected)" in told
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
            detect_decimals(sheet, ["Menge"])
    else:
        assert detect_decimals(sheet, ["Menge"]) == {"Menge": decimal}


def two_columns(folder: Path, units: list[str], price: str) -> ImportRequest:
    """An import of units, a day each, beside the same price every day."""
    rows = "".join(f"2024-05-0{day};{text};{price}\n" for day, text in enumerate(units, 1))
    columns = Columns(date="d", units="u", kept={"p": "price"})
    return ImportRequest(file_of(folder, "d;u;p\n" + rows), columns)


@pytest.mark.parametrize(
    ("units", "price", "read"),
    [
        (["100.5", "2"], "0,45", [100.5, 2.0]),
        (["388", "1.412"], "0,45", [388.0, 1412.0]),
        (["1.250", "2.5"], "0,45", [1.25, 2.5]),
        (["1.250", "3"], "0.45", [1.25, 3.0]),
        (["1", "2"], "0,45", [1.0, 2.0]),
    ],
)
def test_each_column_has_its_own_mark(
    units: list[str], price: str, read: list[float], tmp_path: Path
) -> None:
    """What one column leaves open the other settles, where its numbers don't speak against it."""
    table = import_sales(two_columns(tmp_path, units, price)).table.rows
    assert table["units"].tolist() == read
    assert set(table["price"]) == {0.45}


@pytest.mark.parametrize(
    "units", [["100.000", "101.000"], ["1.250", "1500"], ["1.250", "1,250", "3"]]
)
def test_an_open_column_is_asked_for_by_its_name(units: list[str], tmp_path: Path) -> None:
    """And only that one; where it is told, the other is still found out."""
    request = two_columns(tmp_path, units[:2], "0,45")
    with pytest.raises(SalesError, match="column 'u': found numbers like 1") as caught:
        import_sales(request)
    assert "--decimal u=. or --decimal u=," in str(caught.value)
    assert "--decimal p=" not in str(caught.value)
    imported = import_sales(replace(request, notation=Notation(decimals={"u": "."})))
    assert dict(imported.notes)["numbers"] == "decimal point in u, comma in p (some as told)"
    assert imported.table.rows["units"][0] == float(units[0])


@pytest.mark.parametrize(
    "text", ["-1.50", "-$1.50", "$-1.50", "($1.50)", "(1.50)", "1.50-", "$1.50 -", "\u22121.50"]
)
def test_negative_numbers_in_all_their_writings_are_returns(text: str, tmp_path: Path) -> None:
    """Brackets, a minus behind, before or after the sign of currency: taken off the day's sales."""
    path = file_of(tmp_path, f"d;u\n2024-05-01;$20.50\n2024-05-01;{text}\n")
    columns = Columns(date="d", units="u")
    imported = import_sales(ImportRequest(path, columns, returns="net"))
    assert imported.table.rows["units"].tolist() == [19.0]
    with pytest.raises(SalesError, match="--returns net"):
        import_sales(ImportRequest(path, columns))


@pytest.mark.parametrize("text", ["-", "(-1)", "--1", "-1-", "()", "1-2"])
def test_what_is_no_number_does_not_become_a_return(text: str, tmp_path: Path) -> None:
    """Two signs, empty brackets or a lone dash are refused by line."""
    path = file_of(tmp_path, f"d;u\n2024-05-01;20.50\n2024-05-02;{text}\n")
    with pytest.raises(SalesError, match="line 3, column 'u'"):
        import_sales(ImportRequest(path, Columns(date="d", units="u"), returns="net"))


def test_mixed_currencies_are_refused(tmp_path: Path) -> None:
    """Euros and dollars aren't summed; numbers without a sign go with either."""
    path = file_of(tmp_path, "d;u\n2024-05-01;$1.5\n2024-05-02;2\n2024-05-03;\u20ac3.5\n")
    columns = Columns(date="d", units="u")
    with pytest.raises(SalesError, match="line 4, column 'u': found '\u20ac3") as caught:
        import_sales(ImportRequest(path, columns))
    assert "one currency in a column, $ as above" in str(caught.value)
    path = file_of(tmp_path, "d;u\n2024-05-01;EUR 1.5\n2024-05-02;2 \u20ac\n2024-05-03;CHF 3.5\n")
    with pytest.raises(SalesError, match="line 4, column 'u': found 'CHF 3\\.5'"):
        import_sales(ImportRequest(path, columns))
    path = file_of(tmp_path, "d;u\n2024-05-01;$1.5\n2024-05-02;2\n")
    assert import_sales(ImportRequest(path, columns)).table.rows["units"].sum() == 3.5


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
        ("12,50 Euro", 12.5),
        ("CHF 12,50", 12.5),
        ("12,50kr", 12.5),
        ("12,50 Eurobon", None),
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
