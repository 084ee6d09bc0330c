"""From a stamp to the day whose sale it is: time zone, daylight saving, and when a day starts."""

from __future__ import annotations

import datetime as dt
import difflib
import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glean.errors import SettingsError
from glean.sales.reading.dates import split_time
from glean.sales.reading.sheet import Texts, texts_of
from glean.sales.reading.values import distinct_of

LATEST_START = 12 * 60
"""A day that started later, in minutes after midnight, would be the one before."""

_SERIAL_TIME = re.compile(r"\d{5}[.,](\d+)", re.ASCII)
_TIME = re.compile(
    r"(\d{1,2})[:h.](\d{2})(?:[:.](\d{2})(?:[.,]\d+)?)?\s*(?:([ap])\.?\s?m\.?|uhr)?"
    r"\s*(z|utc|gmt|[+-]\d{2}(?::?\d{2})?)?",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True)
class Clock:
    """Which stamps belong to a day.

    Parameters
    ----------
    timezone : str
        Where the bakery is, like "Europe/Berlin": stamps are turned into its local time, those
        without a zone from UTC. "" to take stamps as they are.
    day_starts : int
        Minutes after midnight before which sales belong to the day before.

    Raises
    ------
    SettingsError
        The time zone is unknown, or the day starts after noon.
    """

    timezone: str = ""
    day_starts: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.day_starts <= LATEST_START:
            raise SettingsError(
                f"--day-starts: found {spoken_time(self.day_starts)}; wanted a time up to 12:00, "
                "before which sales belong to the day before"
            )
        if self.timezone:
            _check_timezone(self.timezone)

    @classmethod
    def of(cls, timezone: str, day_starts: str) -> Clock:
        """Read a clock as it is typed; "" for what isn't told.

        Raises
        ------
        SettingsError
            As for a clock, or `day_starts` is no time like 04:00.
        """
        try:
            time = dt.time.fromisoformat(day_starts.strip().zfill(5)) if day_starts else dt.time()
        except ValueError:
            found = f"--day-starts: found {day_starts!r}"
            raise SettingsError(f"{found}; wanted a time like 04:00") from None
        return cls(timezone, time.hour * 60 + time.minute)

    @property
    def is_set(self) -> bool:
        """Whether days are other than the stamps have them."""
        return bool(self.timezone or self.day_starts)

    def local_days(self, days: NDArray[np.datetime64], times: Times) -> NDArray[np.datetime64]:
        """Turn days and times of stamps into the days whose sales they are.

        Parameters
        ----------
        days : array of datetime64[us], shape (n,)
            Days of the stamps, at midnight; NaT stays.
        times : Times
            Their times. A stamp without one stays on its day.
        """
        known = ~np.isnat(days) & ~np.isnan(times.minutes)
        minutes = times.minutes[known].astype(np.int64).astype("timedelta64[m]")
        moments = pd.DatetimeIndex(days[known] + minutes)
        if self.timezone:
            offsets = np.nan_to_num(times.offsets[known]).astype(np.int64).astype("timedelta64[m]")
            utc = (moments - offsets).tz_localize("UTC")
            moments = utc.tz_convert(self.timezone).tz_localize(None)
        found = days.copy()
        started = moments - pd.Timedelta(minutes=self.day_starts)
        found[known] = started.normalize().to_numpy(dtype=days.dtype)
        return found


AS_STAMPED = Clock()
"""Days are those of the stamps."""


@dataclass(frozen=True)
class Times:
    """Times of stamps.

    Parameters
    ----------
    minutes : array of float, shape (n,)
        Minutes after midnight, NaN where there is no time.
    offsets : array of float, shape (n,)
        Minutes that the stamp's zone is ahead of UTC, NaN where it has none.
    """

    minutes: NDArray[np.float64]
    offsets: NDArray[np.float64]


def read_stamp_times(texts: Texts) -> Times:
    """Read the times of stamps, "20.03.2024 19:30", "3/20/24, 7:15 PM", "2024-03-20T19:30Z"."""
    codes, distinct = distinct_of(texts)
    of_stamp, times = distinct_of(texts_of([_time_text(text) for text in distinct]))
    read = np.array([_time_of(text) for text in times] or [(np.nan, np.nan)])
    rows = of_stamp[codes] if len(of_stamp) else codes
    return Times(read[rows, 0], read[rows, 1])


def spoken_time(minutes: int) -> str:
    """Write minutes after midnight as a time.

    Examples
    --------
    >>> spoken_time(270)
    '04:30'
    """
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _time_text(stamp: str) -> str:
    """Take the day off a stamp; of Excel's count of days what is behind the mark, like #75."""
    day, time = split_time(stamp)
    serial = None if time else _SERIAL_TIME.fullmatch(day)
    return f"#{serial[1]}" if serial else time


@lru_cache(maxsize=1 << 17)  # more than a day has seconds
def _time_of(text: str) -> tuple[float, float]:
    if text.startswith("#"):
        return float(int(float(f"0.{text[1:]}") * 24 * 60 + 1e-6)), np.nan
    match = _TIME.fullmatch(text)
    if match is None or int(match[1]) > 23 or int(match[2]) > 59:
        return np.nan, np.nan
    hours, half, zone = int(match[1]), (match[4] or "").lower(), (match[5] or "").lower()
    if half:
        hours = hours % 12 + (12 if half == "p" else 0)
    return float(hours * 60 + int(match[2])), _offset_of(zone)


def _offset_of(zone: str) -> float:
    if not zone:
        return np.nan
    if zone[0] not in "+-":
        return 0.0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return float(-minutes if zone[0] == "-" else minutes)


def _check_timezone(name: str) -> None:
    # Here, since few imports need it.
    import zoneinfo

    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        known = zoneinfo.available_timezones()
    else:
        return
    by_plain = {zone.casefold(): zone for zone in sorted(known)}
    by_plain |= {zone.rpartition("/")[2].casefold(): zone for zone in sorted(known) if "/" in zone}
    near = difflib.get_close_matches(name.casefold().replace(" ", "_"), by_plain, n=3, cutoff=0.6)
    listed = ", ".join(dict.fromkeys(by_plain[text] for text in near)) or "Europe/Berlin"
    wanted = f"a time zone like {listed}" if known else "the system's time zones (package tzdata)"
    raise SettingsError(f"--timezone: found {name!r}; wanted {wanted}")
