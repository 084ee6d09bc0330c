"""Days with a name of a run: each by its name, scored as all days are."""

from __future__ import annotations

import pandas as pd
import pytest

from glean.evaluation.pages.report_tables import named_days_table
from glean.evaluation.tables.named_day_scores import named_day_scores
from glean.languages.language import ENGLISH, NOTHING

WINDOW = pd.date_range("2024-12-22", "2025-01-03")


def window(units: float = 10.0) -> pd.DataFrame:
    """Two bakeries that sell alike; each alone is off by a half on the days before holidays."""
    alone = [15.0 if day.day in (24, 31) else 10.0 for day in WINDOW]
    one = pd.DataFrame({"date": WINDOW, "units": units, "chosen": 11.0, "local": alone})
    return pd.concat([one.assign(bakery=name) for name in ("A", "B")], ignore_index=True)


def test_each_named_day_is_scored_and_the_others_together() -> None:
    """Christmas and New Year of a region by their names, in the order of the year."""
    found = named_day_scores(window(), "DE-SH")
    assert [day.name for day in found] == [
        "24 December",
        "Christmas Day",
        "Second Day of Christmas",
        "31 December",
        "New Year's Day",
        "",
    ]
    assert [day.units for day in found] == [20.0] * 5 + [160.0]
    assert [len(day.dates) for day in found] == [1] * 5 + [8]
    assert [day.wapes["local"] for day in found] == [0.5, 0.0, 0.0, 0.5, 0.0, 0.0]
    assert [day.wapes["chosen"] for day in found] == pytest.approx([0.1] * 6)


def test_without_a_region_only_the_last_days_of_the_year_have_names() -> None:
    """Nobody told which holidays there are."""
    assert [day.name for day in named_day_scores(window(), "")] == [
        "24 December",
        "31 December",
        "",
    ]


def test_a_window_of_ordinary_days_has_no_table() -> None:
    """Nothing is folded out then."""
    ordinary = window().query("date < '2024-12-24'")
    assert named_day_scores(ordinary, "DE-SH") == []
    assert named_days_table([], ENGLISH) == ""


def test_the_table_names_days_and_dates() -> None:
    """What nobody sold anything on has no score."""
    text = named_days_table(named_day_scores(window(0.0), ""), ENGLISH)
    assert "<td>24 Dec 2024</td>" in text
    assert "all other days" in text
    assert "11 days" in text
    assert f"<td>{NOTHING}</td>" in text
