"""The weather that a bakery has heard of, kept in its home: asked for seldom, and there without it.

A file holds the days of one place, those that have been and those to come. Where the provider
doesn't answer, what was heard before still counts.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from glean.errors import FederationError
from glean.outgoing.weather import DayWeather, Place
from glean.regular_files import read_regular
from glean.runs.folder import write_whole

FILE = "weather.json"

FRESH = dt.timedelta(hours=3)
"""A forecast that is younger isn't asked for again."""

KEPT_DAYS = 800
"""Days that have been and are kept: more than two years, for the same week a year ago."""

Fetch = Callable[[Place], Mapping[dt.date, DayWeather]]


@dataclass(frozen=True)
class KeptWeather:
    """What is known of a place.

    Parameters
    ----------
    place : Place
        Where.
    days : mapping of date to DayWeather
        By day, in order.
    heard_at : datetime or None
        When the provider last answered, UTC.
    problem : str
        Why it didn't when it was last asked; "" where it did.
    """

    place: Place
    days: Mapping[dt.date, DayWeather] = field(default_factory=dict)
    heard_at: dt.datetime | None = None
    problem: str = ""


def current_weather(folder: Path, place: Place, fetch: Fetch, *, now: dt.datetime) -> KeptWeather:
    """Give what is known of a place, after asking for it where that is due.

    Parameters
    ----------
    folder : Path
        Where `weather.json` lies.
    place : Place
        Where; what is kept of another place is forgotten.
    fetch : callable
        Asks the provider; raises `FederationError`.
    now : datetime
        By the clock, UTC.
    """
    known = read_weather(folder)
    if known is None or known.place != place:
        known = KeptWeather(place)
    if known.heard_at is not None and dt.timedelta(0) <= now - known.heard_at < FRESH:
        return known
    try:
        heard = fetch(place)
    except FederationError as error:
        return KeptWeather(place, known.days, known.heard_at, str(error))
    oldest = now.date() - dt.timedelta(days=KEPT_DAYS)
    days = {day: known.days.get(day) for day in {*known.days, *heard} if day >= oldest}
    whole = {day: heard.get(day, said) for day, said in sorted(days.items())}
    found = KeptWeather(place, {d: said for d, said in whole.items() if said is not None}, now)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / FILE, _written(found))
    return found


def read_weather(folder: Path) -> KeptWeather | None:
    """Read what is kept; None where there is nothing, or nothing that can be read."""
    try:
        found = json.loads(read_regular(folder / FILE))
        days = {
            dt.date.fromisoformat(day): DayWeather(*(_number(value) for value in said))
            for day, said in found["days"].items()
        }
        heard = dt.datetime.fromisoformat(found["heard_at"])
        return KeptWeather(Place.of(*found["place"]), days, heard)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _written(weather: KeptWeather) -> bytes:
    assert weather.heard_at is not None, "what was never heard of isn't kept"
    content = {
        "place": [weather.place.latitude, weather.place.longitude],
        "heard_at": weather.heard_at.isoformat(timespec="seconds"),
        "days": {
            f"{day}": [_known(said.temperature_c), _known(said.rain_mm)]
            for day, said in weather.days.items()
        },
    }
    return (json.dumps(content) + "\n").encode()


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
