"""Weather and calendars that an import joins by date."""

from __future__ import annotations

from pathlib import Path

import pytest

from glean.errors import SalesError, SettingsError
from glean.sales.importing.covariate_files import CovariateFile
from glean.sales.importing.import_sales import import_sales
from glean.sales.importing.request import Columns, ImportRequest
from tests.sales.importing.exports import EXPORT, LONG, file_of

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
