"""The region whose public holidays fit a bakery's holiday flags and closed days."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glean.sales.calendars import public_holidays, regions_of
from glean.sales.quality.opening_days import Days

Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]

FEWEST_HITS = 6
"""Flagged or closed days that have to be holidays of a region."""

FEWEST_RIGHT = 0.75
"""Share of right days among these and the wrong ones (flagged and no holiday there, or a holiday
there and an ordinary trading day) from which on a region fits."""

FEWEST_EXPLAINED = 0.5
"""Without flags: share of the single closed days that have to be holidays."""

MOST_DAYS = 5 * 366
"""Days that are looked at, the last ones: more say no more, and take long."""

ODD_SHARE = 0.005
"""Share of the rows after the last of these days: a wrong year isn't to be the end."""

MOST_COUNTRIES = 8
"""Countries whose parts are looked at, those that fit best."""


@dataclass(frozen=True)
class RegionFit:
    """Regions that fit one or more bakeries alike.

    Parameters
    ----------
    regions : tuple of str
        Codes like "DE-NI"; the country alone if it fits as well as its parts.
    wrong_days : int
        Days that don't fit: flagged and no holiday there, or the other way round; of the bakery
        with the most of them.
    flagged : bool
        Whether the table's holiday column was gone by; else closed days alone.
    bakeries : tuple of str
        Whom they fit.
    """

    regions: tuple[str, ...]
    wrong_days: int
    flagged: bool
    bakeries: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Evidence:
    """What the rows of n bakeries say of the days of a calendar; each of shape (n, days)."""

    off: Flags
    flagged: Flags
    ordinary: Flags

    def counts(self, holidays: Flags) -> tuple[Counts, Counts]:
        """Count right and wrong days by regions' holidays, both of shape (n, regions)."""
        here = holidays.astype(np.float32).T
        off, flagged, ordinary = (
            flags.astype(np.float32) for flags in (self.off, self.flagged, self.ordinary)
        )
        right, wrong = off @ here, ordinary @ here + flagged @ (1 - here)
        return right.astype(np.int64), wrong.astype(np.int64)


def fitting_regions(
    rows: pd.DataFrame, closed: Mapping[str, Sequence[dt.date]]
) -> tuple[RegionFit, ...]:
    """Find regions whose public holidays fit.

    Parameters
    ----------
    rows : DataFrame
        n rows with `date`, `bakery`, `units`, and `holiday` where the table has it.
    closed : mapping of str to sequence of date
        Bakery -> single days on which it sold nothing, though it is usually open.

    Returns
    -------
    tuple of RegionFit
        Those that fit most bakeries first; empty where no region fits.
    """
    days = np.sort(rows["date"].to_numpy().astype("datetime64[D]"))
    last = days[int(len(days) * (1 - ODD_SHARE))]
    calendar = np.arange(max(days[0], last - MOST_DAYS + 1), last + 1)
    rows = rows[rows["date"].between(calendar[0], calendar[-1])]
    names, found = _evidence(rows, closed, calendar)
    if not len(names):
        return ()
    countries = regions_of()
    right, wrong = found.counts(_holidays(list(countries), calendar))
    fit_best = np.argsort((wrong - right).sum(axis=0), kind="stable")[:MOST_COUNTRIES]
    near = [list(countries)[at] for at in fit_best]
    codes = [code for country in near for code in (country, *countries[country])]
    return _fits(names, found, codes, _holidays(codes, calendar))


def _evidence(
    rows: pd.DataFrame, closed: Mapping[str, Sequence[dt.date]], calendar: Days
) -> tuple[list[str], _Evidence]:
    """Read on which days a bakery was closed though usually open, or flagged, or as usual.

    Of the bakeries that were closed or flagged often enough to tell.
    """
    bakery, names = pd.factorize(rows["bakery"])
    day = (rows["date"].to_numpy().astype("datetime64[D]") - calendar[0]).astype(np.int64)
    is_open, flagged, is_closed = (
        np.zeros((len(names), len(calendar)), dtype=bool) for _ in range(3)
    )
    sold = (rows["units"] > 0).to_numpy()
    is_open[bakery[sold], day[sold]] = True
    if "holiday" in rows:
        holiday = (rows["holiday"] == 1).to_numpy()
        flagged[bakery[holiday], day[holiday]] = True
    for at, name in enumerate(names):
        is_closed[at] = np.isin(calendar, np.array(closed[str(name)], dtype="datetime64[D]"))
    off = flagged | is_closed
    told = off.sum(axis=1) >= FEWEST_HITS
    ordinary = is_open & ~flagged
    return [str(name) for name in names[told]], _Evidence(off[told], flagged[told], ordinary[told])


def _holidays(codes: Sequence[str], calendar: Days) -> Flags:
    """Holidays of each region, shape (regions, days)."""
    first, last = pd.Timestamp(calendar[0]), pd.Timestamp(calendar[-1])
    listed = [public_holidays(code, first, last).to_numpy() for code in codes]
    return np.array([np.isin(calendar, days.astype("datetime64[D]")) for days in listed])


def _fits(
    bakeries: Sequence[str], found: _Evidence, codes: Sequence[str], holidays: Flags
) -> tuple[RegionFit, ...]:
    fits: list[RegionFit] = []
    rows = zip(bakeries, *found.counts(holidays), found.off, found.flagged, strict=True)
    for bakery, hits, misses, off, flagged in rows:
        alike = np.flatnonzero(hits - misses == (hits - misses).max())
        at = int(alike[0])
        fits_well = hits[at] >= max(FEWEST_HITS, FEWEST_RIGHT * (hits[at] + misses[at]))
        has_flags = bool(flagged.any())
        if fits_well and (has_flags or hits[at] >= FEWEST_EXPLAINED * off.sum()):
            names = tuple(codes[position] for position in alike.tolist())
            fits.append(RegionFit(names, int(misses[at]), has_flags, (bakery,)))
    together = [replace(fit, regions=_shortest(fit.regions)) for fit in _together(fits)]
    return tuple(sorted(together, key=lambda fit: -len(fit.bakeries)))


def _together(fits: Sequence[RegionFit]) -> list[RegionFit]:
    """Join bakeries that have a region in common: those with the fewest regions say which."""
    joined: list[RegionFit] = []
    for fit in sorted(fits, key=lambda fit: len(fit.regions)):
        for at, other in enumerate(joined):
            if common := tuple(code for code in other.regions if code in fit.regions):
                joined[at] = RegionFit(
                    common,
                    max(other.wrong_days, fit.wrong_days),
                    other.flagged or fit.flagged,
                    other.bakeries + fit.bakeries,
                )
                break
        else:
            joined.append(fit)
    return joined


def _shortest(codes: Iterable[str]) -> tuple[str, ...]:
    """Leave out the parts of a country that itself is among these."""
    listed = list(dict.fromkeys(codes))
    return tuple(code for code in listed if code.partition("-")[0] not in set(listed) - {code})
