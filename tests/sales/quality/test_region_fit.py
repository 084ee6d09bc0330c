"""Regions suggested by the holiday column and by closed days."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from glean.operations.tables.remarks import remarks_of
from glean.sales.calendars import public_holidays
from glean.sales.quality.data_check import examine
from glean.sales.quality.region_fit import fitting_regions
from tests.sales.quality.sales_weeks import file_of, sales

DAYS = 731


def holidays(region: str) -> pd.DatetimeIndex:
    return public_holidays(region, pd.Timestamp("2024-01-01"), pd.Timestamp("2025-12-31"))


def test_the_flags_name_the_region(tmp_path: Path) -> None:
    """Two days that don't fit are counted, and the region is still the one that fits best."""
    days = [*holidays("GB-SCT")[1:], pd.Timestamp("2024-07-12")]
    rows = sales(DAYS)
    rows["holiday"] = rows["date"].isin(days).astype(int)
    report = examine(file_of(tmp_path, rows))
    (fit,) = report.regions
    assert (fit.regions, fit.wrong_days, fit.flagged) == (("GB-SCT",), 2, True)
    (remark,) = [text for text in remarks_of(report) if "--region" in text]
    assert remark.startswith("The holiday column is as the holidays of GB-SCT, but for 2 days. Say")
    assert "`--region GB-SCT` to `glean plan`" in remark


def test_closed_days_name_the_region_of_some_bakeries(tmp_path: Path) -> None:
    """Without flags the days without rows do; who is always open says nothing."""
    closed = sales(DAYS)[~sales(DAYS)["date"].isin(holidays("DE-BY"))]
    rows = pd.concat([closed, sales(DAYS).assign(bakery="B")])
    report = examine(file_of(tmp_path, rows))
    (fit,) = report.regions
    assert "DE-BY" in fit.regions
    assert (fit.bakeries, fit.wrong_days, fit.flagged) == (("A",), 0, False)
    (remark,) = [text for text in remarks_of(report) if "--region" in text]
    assert "single closed days of A are as the holidays of" in remark
    assert "to `glean data import` and `glean plan`" in remark


def test_days_off_at_random_fit_no_region() -> None:
    """Thirty days closed for no reason are no calendar."""
    rows = sales(DAYS)
    closed = rows["date"].sample(30, random_state=4)
    rows = rows[~rows["date"].isin(closed)]
    assert fitting_regions(rows, {"A": [day.date() for day in closed]}) == ()


def test_a_wrong_year_costs_no_centuries() -> None:
    """The calendar ends with the rows, and begins five years before that."""
    rows = sales(DAYS)
    rows["holiday"] = rows["date"].isin(holidays("GB-SCT")).astype(int)
    wrong = rows.head(2).assign(date=np.array(["1974-01-01", "2094-01-01"], dtype="M8[us]"))
    (fit,) = fitting_regions(pd.concat([wrong, rows]), {"A": []})
    assert (fit.regions, fit.wrong_days) == (("GB-SCT",), 0)
