"""Whether holidays of a region are known, for whoever does without the library of holidays."""

from __future__ import annotations


def checked_school_region(region: str) -> str:
    """Give a region back if its school holidays are known; "" is none.

    Raises
    ------
    SettingsError
        They aren't; says of which countries they are.
    """
    import pandas as pd

    from glean.sales.school_holidays import school_holidays

    if region:
        school_holidays(region, pd.Timestamp("2026-01-01"), pd.Timestamp("2026-12-31"))
    return region


def checked_region(region: str) -> str:
    """Give a region back if its holidays are known; "" is none.

    Raises
    ------
    SettingsError
        They aren't; names near ones.
    """
    import pandas as pd

    from glean.sales.calendars import public_holidays

    if region:
        public_holidays(region, pd.Timestamp("2026-01-01"), pd.Timestamp("2026-12-31"))
    return region
