"""Days that everybody shops for: public holidays of a region, and the last days of the year.

The holidays come from the library `holidays`, which only this folder imports.
"""

from __future__ import annotations

import difflib
from functools import lru_cache

import pandas as pd

from glean.errors import SettingsError

_CANONICAL = "en_US"
"""The language of names by which days are told apart: all regions have it."""

LAST_DAYS_OF_YEAR = {(12, 24): "24 December", (12, 31): "31 December"}
"""Days that everybody shops for, holidays or not: month and day, and their names."""


def public_holidays(region: str, first: pd.Timestamp, last: pd.Timestamp) -> pd.DatetimeIndex:
    """List the public holidays of a region between two days, both included.

    Parameters
    ----------
    region : str
        Country in two capital letters, or country and part of it: "FR", "DE-SH", "GB-SCT"
        (ISO 3166 codes).
    first, last : Timestamp
        First and last day that count.

    Returns
    -------
    DatetimeIndex
        Midnights, ascending, each day once.

    Raises
    ------
    SettingsError
        If no holidays are known for the region; names it, how one looks, and near ones.

    Examples
    --------
    >>> days = pd.Timestamp("2024-10-30"), pd.Timestamp("2024-11-01")
    >>> [str(day.date()) for day in public_holidays("DE-SH", *days)]
    ['2024-10-31']
    """
    return pd.DatetimeIndex(list(holiday_names(region, first, last)))


def holiday_names(region: str, first: pd.Timestamp, last: pd.Timestamp) -> dict[pd.Timestamp, str]:
    """Name the public holidays of a region between two days, both included, in order.

    Raises
    ------
    SettingsError
        As `public_holidays`.
    """
    found = _holidays_of_years(region, first.year, last.year)
    return {day: name for day, name in found.items() if first <= day <= last}


def holiday_name(region: str, day: pd.Timestamp, language: str) -> str:
    """Name the public holiday of a day for people to read; days are told apart by `holiday_names`.

    Parameters
    ----------
    region : str
        As in `public_holidays`.
    day : Timestamp
        The day.
    language : str
        Like "de"; where the region has no such names it is English.

    Returns
    -------
    str
        "" where it is none.

    Examples
    --------
    >>> holiday_name("DE", pd.Timestamp("2026-04-03"), "de")
    'Karfreitag'
    """
    import holidays

    known = holidays.list_localized_countries().get(region.partition("-")[0], [])
    spoken = language if language in known else _CANONICAL
    return _holidays_of_years(region, day.year, day.year, spoken).get(day, "")


def regions_of() -> dict[str, tuple[str, ...]]:
    """Codes of the countries whose holidays are known, each with those of its parts.

    Examples
    --------
    >>> regions_of()["GB"]
    ('GB-ENG', 'GB-NIR', 'GB-SCT', 'GB-WLS')
    """
    import holidays

    known = holidays.list_supported_countries(include_aliases=False)
    return {
        country: tuple(f"{country}-{part}" for part in parts)
        for country, parts in sorted(known.items())
    }


@lru_cache(maxsize=1024)
def _holidays_of_years(
    region: str, first_year: int, last_year: int, language: str = _CANONICAL
) -> dict[pd.Timestamp, str]:
    # The library takes a while to import: only those who ask for holidays pay for it.
    import holidays

    country, dash, part = region.partition("-")
    if not country.isascii() or not country.isupper() or (dash and not part):
        raise SettingsError(_unknown(region))
    years = range(first_year, last_year + 1)
    try:
        found = holidays.country_holidays(
            country, subdiv=part or None, years=years, language=language
        )
    except NotImplementedError:
        raise SettingsError(_unknown(region)) from None
    return {pd.Timestamp(day): str(name) for day, name in sorted(found.items())}


def _unknown(region: str) -> str:
    """Say what was found, how a region looks, and which known ones are near."""
    import holidays
    from holidays.registry import COUNTRIES

    parts = holidays.list_supported_countries(include_aliases=False)
    codes = {name.replace("_", " "): entry[1] for name, entry in COUNTRIES.items()}
    country, _, part = region.upper().partition("-")
    named = _regions_by_name()
    if country in parts:
        known = [country, *(f"{country}-{code}" for code in parts[country])]
        spoken = difflib.get_close_matches(part.casefold(), named, n=4, cutoff=0.75)
        near = [named[name] for name in spoken if named[name] in known]
        near += difflib.get_close_matches(region.upper(), known, n=4, cutoff=0.3) or known[:4]
    else:
        named = codes | named
        spoken = difflib.get_close_matches(region.casefold(), named, n=4, cutoff=0.6)
        near = [named[name] for name in spoken] or ["DE", "DE-SH", "FR", "GB-SCT"]
    return (
        f"holiday region {region!r} isn't known; wanted a country like 'FR' or a country and a "
        "part of it like 'DE-SH' or 'GB-SCT'. "
        f"Near ones: {', '.join(list(dict.fromkeys(near))[:4])}"
    )


def _regions_by_name() -> dict[str, str]:
    """Parts of countries by the names that the library knows for them."""
    import importlib

    from holidays.registry import COUNTRIES

    found: dict[str, str] = {}
    for module, (name, code, *_) in COUNTRIES.items():
        country = getattr(importlib.import_module(f"holidays.countries.{module}"), name)
        aliases = getattr(country, "subdivisions_aliases", {})
        found |= {alias.casefold(): f"{code}-{part}" for alias, part in aliases.items()}
    return found
