"""Public holidays by region, against days known by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from glean.errors import SettingsError
from glean.sales.calendars import public_holidays

YEAR_2024 = (pd.Timestamp("2024-01-01"), pd.Timestamp("2024-12-31"))


@pytest.mark.parametrize(
    ("region", "day", "is_holiday"),
    [
        ("DE-SH", "2024-10-31", True),  # Reformation Day: in the north since 2018
        ("DE-HE", "2024-10-31", False),
        ("DE-BY", "2024-01-06", True),  # Epiphany: in the south only
        ("DE-SH", "2024-01-06", False),
        ("DE", "2024-10-03", True),
        ("DE", "2024-10-31", False),  # nationwide days only
        ("FR", "2024-07-14", True),
        ("GB-ENG", "2024-12-02", False),
        ("GB-SCT", "2024-12-02", True),  # St Andrew's Day, moved to the Monday
        ("NL", "2024-04-27", True),
        ("AT-9", "2024-10-26", True),
    ],
)
def test_known_days(region: str, day: str, is_holiday: bool) -> None:
    """Days that a person can look up are holidays exactly where they should be."""
    assert (pd.Timestamp(day) in public_holidays(region, *YEAR_2024)) is is_holiday


def test_both_ends_count() -> None:
    """The first and the last day belong to the span, days outside don't."""
    christmas = pd.Timestamp("2024-12-25"), pd.Timestamp("2024-12-26")
    assert list(public_holidays("DE", *christmas)) == list(christmas)
    assert public_holidays("DE", christmas[0], christmas[0]).size == 1


def test_days_ascend_across_years() -> None:
    """A span over several years holds each year's Christmas, in order, each day once."""
    days = public_holidays("DE-SN", pd.Timestamp("2022-06-27"), pd.Timestamp("2025-06-29"))
    assert days.is_monotonic_increasing
    assert days.is_unique
    assert {f"{year}-12-25" for year in (2022, 2023, 2024)} <= {str(d.date()) for d in days}


@pytest.mark.parametrize(
    ("region", "hint"),
    [
        ("DE-XX", "DE-S"),
        ("de-sh", "DE-SH"),
        ("Germany", "DE"),
        ("Frence", "FR"),
        ("ZZ", "DE-SH"),
        ("DE-", "DE"),
        ("", "DE-SH"),
        ("Niedersachsen", "DE-NI"),
        ("DE-Baiern", "DE-BY"),
        ("Thuringen", "DE-TH"),
        ("Scotland", "GB-SCT"),
    ],
)
def test_unknown_region_is_named(region: str, hint: str) -> None:
    """The message names the value, how a region looks, and something near it."""
    with pytest.raises(SettingsError) as caught:
        public_holidays(region, *YEAR_2024)
    message = str(caught.value)
    assert repr(region) in message
    assert "'DE-SH'" in message
    assert hint in message.rpartition("Near ones:")[2]
