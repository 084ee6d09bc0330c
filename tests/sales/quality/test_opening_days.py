"""Opening days: days off, gaps, lone days."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from glean.sales.quality.opening_days import LoneDay, opening_days
from tests.sales.quality.sales_weeks import weeks


def test_days_off_aren_t_gaps() -> None:
    """A shop closed on Sundays and Mondays has days off, and nothing is missing."""
    opening = opening_days(weeks(70, without=(0, 6)))
    assert opening.days_off == ("Mondays", "Sundays")
    assert (opening.gaps, opening.single_days) == ((), ())
    assert opening.trading_days == 50
    assert (opening.first, opening.last) == (dt.date(2024, 1, 2), dt.date(2024, 3, 9))


def test_gaps_and_single_missing_days() -> None:
    """A fortnight without rows is a gap by its first and last day; a lone day is counted."""
    dates = weeks(100)
    gone = dates.between("2024-02-05", "2024-02-18") | (dates == "2024-03-10")
    opening = opening_days(dates[~gone])
    (gap,) = opening.gaps
    assert str(gap) == "2024-02-05 to 2024-02-18 (14 days)"
    assert (opening.single_days, opening.missing_days) == ((dt.date(2024, 3, 10),), 15)


def test_weekday_that_is_mostly_closed() -> None:
    """A weekday open now and then is told apart from a day off."""
    dates = weeks(140)
    sundays = dates[dates.dt.day_of_week == 6]
    opening = opening_days(dates[~dates.isin(sundays.iloc[4:])])
    assert opening.days_off == ()
    assert opening.mostly_off == ("Sundays",)


def test_short_histories_have_no_days_off() -> None:
    """Two weeks say nothing about weekdays: missing Sundays are missing days."""
    opening = opening_days(weeks(15, without=(6,)))
    assert opening.days_off == ()
    assert len(opening.single_days) == 2


def test_a_long_gap_hides_no_weekday() -> None:
    """Five months without rows are a gap; the weekdays are those of the months with rows."""
    dates = weeks(274, without=(6,))
    opening = opening_days(dates[~dates.between("2024-04-01", "2024-07-31")])
    assert [str(gap) for gap in opening.gaps] == ["2024-04-01 to 2024-07-31 (122 days)"]
    assert opening.pauses == opening.gaps
    assert (opening.days_off, opening.mostly_off) == (("Sundays",), ())
    assert (opening.single_days, opening.missing_days) == ((), 105)


@pytest.mark.parametrize(
    ("typed", "after", "before"),
    [("2042-07-19", 6575, 0), ("2014-03-01", 0, 3593), ("2025-02-01", 198, 0)],
)
def test_lone_days(typed: str, after: int, before: int) -> None:
    """A year or month mistyped is one day far from the others, and no day of the week is off."""
    dates = pd.concat([weeks(200), pd.Series([pd.Timestamp(typed)])])
    opening = opening_days(dates)
    assert opening.lone_days == (LoneDay(dt.date.fromisoformat(typed), after, before),)
    assert (opening.days_off, opening.mostly_off) == ((), ())
    assert len(opening.gaps) == 1


@pytest.mark.parametrize("step", [3, 7, 14, 30, 100])
def test_rare_days_are_neither_lone_nor_pauses(step: int) -> None:
    """A market stall has its rhythm, and not all weekdays are days off; a year's hole shows."""
    dates = weeks(step * 60)[::step].reset_index(drop=True)
    opening = opening_days(dates)
    assert (opening.lone_days, opening.pauses) == ((), ())
    assert len(opening.days_off + opening.mostly_off) < 7
    hole = opening_days(dates[(dates.index < 20) | (dates.index >= 40)])
    assert len(hole.pauses) == 1


def test_two_days_far_apart_are_a_gap() -> None:
    """Of two days neither is the odd one; the weekdays aren't all days off."""
    opening = opening_days(pd.Series(pd.to_datetime(["2024-01-01", "2024-12-31"])))
    assert opening.lone_days == ()
    assert len(opening.gaps) == 1
    assert len(opening.days_off + opening.mostly_off) < 7
