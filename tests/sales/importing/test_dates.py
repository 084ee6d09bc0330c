"""Days of an export in the writings of tills and spreadsheets: read, and shown how."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glean.errors import SalesError, SettingsError
from glean.sales.importing.import_sales import import_sales
from glean.sales.importing.request import Columns, ImportRequest
from glean.sales.importing.swapped_days import seem_exchanged
from glean.sales.reading.dates import EXCELS_DAY_0, exchanged, read_dates
from glean.sales.reading.sheet import texts_of
from tests.sales.importing.exports import file_of

ONE_COLUMN = Columns(date="d", units="u")
MARCH = [dt.date(2024, 3, 1) + dt.timedelta(days=day) for day in range(50)]


def days_of(texts: list[str], folder: Path, swapped_days: str = "") -> tuple[list[dt.date], str]:
    """Days that an export of these dates gives, and what it says of them."""
    path = file_of(folder, "d;u\n" + "".join(f"{text};1\n" for text in texts))
    imported = import_sales(ImportRequest(path, ONE_COLUMN, swapped_days=swapped_days))
    days = [day.date() for day in imported.table.rows["date"]]
    return days, " / ".join(words for label, words in imported.notes if label == "dates")


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["02-May-2024 07:10 AM", "13-May-2024 07:10 PM"], "the month by its name"),
        (["May 2, 2024", "May 13th, 2024"], "May 2, 2024 = 2024-05-02"),
        (["2. Mai 24", "13. Mai 24"], "2. Mai 24 = 2024-05-02"),
        (["2 mai 2024 7h15", "13 mai 2024 8h00"], "2024-05-02"),
        (["Do, 02.05.24", "Mo, 13.05.24"], "day, month, year, like Do, 02.05.24 = 2024-05-02"),
        (["Thursday 05/02/2024", "Monday 05/13/2024"], "month, day, year"),
        (["jeudi 2 mai 2024", "lundi 13 mai 2024"], "the month by its name"),
        (["5/2/2024, 7:15:00 AM", "5/13/2024, 8:15:00 PM"], "month, day, year"),
        (["02.05.24 - 07:15", "13.05.24 um 7.15 Uhr"], "day, month, year"),
        (["45414", "45425"], "days as Excel counts them, like 45414 = 2024-05-02"),
        (["45414.5", "45425,25"], "days as Excel counts them"),
        (["2024-05-02T23:15:00Z", "2024-05-13T01:15:00Z"], "year, month, day"),
    ],
)
def test_writings_of_tills_are_read_and_shown(texts: list[str], said: str, tmp_path: Path) -> None:
    """Month names, weekdays, times behind, Excel's days: all 2 and 13 May 2024."""
    days, words = days_of(texts, tmp_path)
    assert days == [dt.date(2024, 5, 2), dt.date(2024, 5, 13)]
    assert said in words


@pytest.mark.parametrize(
    ("months", "name"),
    [
        ("Jan Feb Mrz Apr Mai Jun Jul Aug Sep Okt Nov Dez", "German, short"),
        ("Januar Februar März April Mai Juni Juli August September Oktober November Dezember", ""),
        (
            "January February March April May June July August September October November December",
            "",
        ),
        ("janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.", "French, short"),
        (
            "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
            "",
        ),
    ],
)
def test_month_names_of_three_languages(months: str, name: str) -> None:
    """Each name is its month, in either case, composed or not."""
    texts = [f"3 {month} 2024" for month in months.split()]
    wanted = [dt.date(2024, month, 3) for month in range(1, 13)]
    for written in (texts, [text.upper() for text in texts]):
        assert read_dates(texts_of(written), "dmy").astype("datetime64[D]").tolist() == wanted, name


@settings(max_examples=50)
@given(st.dates(dt.date(1970, 1, 1), dt.date(2100, 12, 31)))
def test_every_writing_of_a_day_is_that_day(day: dt.date) -> None:
    """Whatever the order of numbers, a named month, a weekday or Excel's count."""
    french = ("lun", "mar", "mer", "jeu", "ven", "sam", "dim")[day.weekday()]
    written = {
        "dmy": [f"{day:%d.%m.%Y}", f"{french}. {day:%d/%m/%Y}", f"{day:%d %b %Y, 08:00}"],
        "mdy": [
            f"{day:%m/%d/%Y}",
            f"{day:%a %m-%d-%Y 8:00}",
            f"{day:%A, %B} {day.day}, {day.year}",
        ],
        "ymd": [f"{day:%Y%m%d}", f"{day:%Y-%m-%dT08:00}", f"{day:%a, %Y/%m/%d}"],
        "serial": [str((day - EXCELS_DAY_0).days), f"{(day - EXCELS_DAY_0).days}.75"],
    }
    for order, texts in written.items():
        found = read_dates(texts_of(texts), order)  # type: ignore[arg-type]
        assert found.astype("datetime64[D]").tolist() == [day] * len(texts), texts


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Mo, 02.05.2024", "isn't the weekday that stands before it"),
        ("31. Juni 2024", "there is no such day"),
        ("2 Floreal 2024", "wanted a date: day, month, year"),
        ("5. Mai 1924", "the year from 1970 to 2100"),
    ],
)
def test_what_is_no_day_is_refused_by_line(text: str, words: str, tmp_path: Path) -> None:
    """A weekday that isn't the day's, a day that there isn't, a month of no calendar here."""
    with pytest.raises(SalesError, match="line 4") as caught:
        days_of(["01.05.2024", "13.05.2024", text], tmp_path)
    assert words in str(caught.value)


def test_a_weekday_settles_the_order(tmp_path: Path) -> None:
    """3 April 2024 was a Wednesday, 4 March a Monday: nothing is asked."""
    assert days_of(["Wed 03/04/2024"], tmp_path)[0] == [dt.date(2024, 4, 3)]
    assert days_of(["Mon 03/04/2024"], tmp_path)[0] == [dt.date(2024, 3, 4)]


def test_swapped_days_are_noticed_and_asked_for(tmp_path: Path) -> None:
    """Up to the 12th day and month have changed places: refused, mended or left as told."""
    swapped = exchanged(np.array(MARCH, dtype="datetime64[us]")).astype("datetime64[D]")
    texts = [str(day) for day in swapped]
    with pytest.raises(SalesError, match="line 2, column 'd'") as caught:
        days_of(texts, tmp_path)
    assert "'2024-01-03' and others that jump by months" in str(caught.value)
    assert "--swapped-days swap" in str(caught.value)
    assert sorted(days_of(texts, tmp_path, swapped_days="swap")[0]) == MARCH
    assert sorted(days_of(texts, tmp_path, swapped_days="keep")[0]) == sorted(swapped.tolist())
    assert seem_exchanged(np.tile(swapped, 3))
    with pytest.raises(SettingsError, match="--swapped-days: found 'maybe'"):
        days_of(texts, tmp_path, swapped_days="maybe")


@settings(max_examples=20)
@given(
    first=st.dates(dt.date(2015, 1, 1), dt.date(2030, 1, 1)),
    length=st.integers(30, 800),
    step=st.sampled_from([1, 2, 7, 14]),
    products=st.integers(1, 4),
    backwards=st.booleans(),
)
def test_files_in_order_are_never_taken_for_swapped(
    first: dt.date, length: int, step: int, products: int, backwards: bool
) -> None:
    """Products below one another, newest first, in no order; and exchanging twice changes none."""
    days = np.datetime64(first) + np.arange(0, length, step)
    run = np.tile(days[::-1] if backwards else days, products)
    assert not seem_exchanged(run)
    assert not seem_exchanged(np.random.default_rng(length).permutation(run))
    assert (exchanged(exchanged(run)) == run).all()
