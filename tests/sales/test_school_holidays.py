"""School holidays: official dates of a few regions, and a table that keeps its own."""

from __future__ import annotations

import pandas as pd
import pytest

from glean.errors import SettingsError
from glean.sales.school_holidays import school_holidays, with_school_holidays
from glean.sales.table import SalesTable
from tests.tables import random_table

TABLE = random_table(days=40)


@pytest.mark.parametrize(
    ("region", "inside", "outside"),
    [
        # Hamburg, Behörde für Schule: spring holidays 2 to 13 March 2026.
        ("DE-HH", ["2026-03-02", "2026-03-13"], ["2026-03-01", "2026-03-16"]),
        # Ministère de l'Éducation nationale, 2025-2026, zone A: winter 7 to 22 February 2026.
        ("FR-Zone A", ["2026-02-09", "2026-02-20"], ["2026-02-06", "2026-02-24"]),
    ],
)
def test_days_are_those_that_were_published(
    region: str, inside: list[str], outside: list[str]
) -> None:
    found = school_holidays(region, pd.Timestamp("2026-01-01"), pd.Timestamp("2026-06-30"))
    assert [day for day in inside if pd.Timestamp(day) not in found] == []
    assert [day for day in outside if pd.Timestamp(day) in found] == []


@pytest.mark.parametrize("region", ["", "DE", "DE-XX", "FR", "GB-SCT", "BG", "XX-1", "de-hh"])
def test_a_region_without_a_list_is_refused_in_words(region: str) -> None:
    with pytest.raises(SettingsError, match="aren't known; wanted a part of Germany"):
        school_holidays(region, pd.Timestamp("2026-01-01"), pd.Timestamp("2026-12-31"))


def test_a_table_gets_them_unless_it_has_its_own() -> None:
    found = with_school_holidays(TABLE, "DE-HH").rows
    known = school_holidays("DE-HH", found["date"].min(), found["date"].max())
    assert found["school_holiday"].tolist() == [float(day in known) for day in found["date"]]
    own = SalesTable(TABLE.rows.assign(school_holiday=1.0))
    assert with_school_holidays(own, "DE-HH") is own
    assert with_school_holidays(TABLE, "") is TABLE
