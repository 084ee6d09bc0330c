"""Training, validation and test window: which day belongs where."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.sales.table import SalesTable
from glean.sales.windows import MIN_TRADING_DAYS, SEASON_DAYS, windows_of
from glean.settings import WindowSettings

MONDAY = pd.Timestamp("2023-01-02")


def table_of(days: int, *, closed_weekday: int | None = None, products: int = 1) -> SalesTable:
    dates = pd.date_range(MONDAY, periods=days, freq="D")
    dates = dates[dates.day_of_week != closed_weekday] if closed_weekday is not None else dates
    parts = [
        pd.DataFrame({"date": dates, "bakery": "a", "product": f"p{k}", "units": 1.0})
        for k in range(products)
    ]
    return SalesTable(pd.concat(parts, ignore_index=True))


@given(days=st.integers(1, 900), test=st.integers(1, 200), validation=st.integers(1, 100))
def test_windows_follow_each_other(days: int, test: int, validation: int) -> None:
    """The test is the last days; the validation before it at most a fifth of what is left."""
    settings = WindowSettings(test_days=test, validation_days=validation)
    windows = windows_of(table_of(days), settings)
    last = MONDAY + pd.Timedelta(days=days - 1)
    assert (last - windows.test_start).days == test - 1
    assert windows.days_before_test == max(days - test, 0)
    validated = (windows.test_start - windows.validation_start).days
    assert validated == min(validation, max(days - test, 0) // 5)


def test_the_test_starts_on_the_day_that_is_given() -> None:
    """`test-start` wins over `test-days`, and is itself the first day of the test."""
    settings = WindowSettings(test_start="2023-03-01", test_days=5)
    windows = windows_of(table_of(100), settings)
    assert windows.test_start == pd.Timestamp("2023-03-01")
    assert windows.days_before_test == 58
    assert windows.validation_start == pd.Timestamp("2023-03-01") - pd.Timedelta(days=58 // 5)


@pytest.mark.parametrize("start", ["2022-12-01", "2023-01-02"])
def test_a_bakery_opened_after_the_test_began_has_nothing_to_learn_from(start: str) -> None:
    """It isn't trained on, and no window runs backwards."""
    windows = windows_of(table_of(50), WindowSettings(test_start=start))
    assert (windows.days_before_test, windows.trading_days, windows.trains) == (0, 0, False)
    assert windows.validation_start == windows.test_start
    assert not windows.knows_season


@pytest.mark.parametrize(("days", "cohort"), [(60, "newcomer"), (61, "established")])
def test_sixty_days_make_a_newcomer(days: int, cohort: str) -> None:
    """The border of the cohorts counts calendar days before the test."""
    windows = windows_of(table_of(days + 10), WindowSettings(test_days=10))
    assert windows.cohort == cohort


@pytest.mark.parametrize(("before", "trains"), [(15, False), (16, True)])
def test_trading_days_count_once_whatever_the_products(before: int, trains: bool) -> None:
    """Closed days and further products add nothing to the fourteen days that it takes."""
    table = table_of(before + 7, closed_weekday=6, products=3)
    windows = windows_of(table, WindowSettings(test_days=7))
    sundays = before // 7
    assert windows.trading_days == before - sundays
    assert windows.trains is trains
    assert MIN_TRADING_DAYS == 14


@pytest.mark.parametrize(("before", "knows"), [(-1, False), (0, True)])
def test_the_season_is_known_after_a_year_and_a_half_of_training_days(
    before: int, knows: bool
) -> None:
    """Only the training window counts, not the validation that follows it."""
    settings = WindowSettings(test_days=10, validation_days=28)
    windows = windows_of(table_of(SEASON_DAYS + before + 28 + 10), settings)
    assert windows.knows_season is knows
