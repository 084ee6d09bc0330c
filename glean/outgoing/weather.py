"""The weather of a place by day, from a provider in Open-Meteo's format.

What leaves is a coordinate rounded to a tenth of a degree, some ten kilometres, and nothing else:
no name, no sales. https://open-meteo.com/en/docs has the format.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlencode

from glean.errors import FederationError, SettingsError
from glean.outgoing.addresses import OutgoingAddress
from glean.outgoing.reading import read_json

OPEN_METEO = "https://api.open-meteo.com/v1/forecast"

PAST_DAYS, DAYS_AHEAD = 92, 16
"""As many as Open-Meteo gives of days that have been and of days to come."""

_VARIABLES = {"temperature_c": "temperature_2m_mean", "rain_mm": "precipitation_sum"}
_COLDEST, _WARMEST, _WETTEST = -60.0, 60.0, 2000.0


@dataclass(frozen=True)
class Place:
    """A place, never more exact than a tenth of a degree.

    Parameters
    ----------
    latitude, longitude : float
        Degrees, north and east; rounded.

    Examples
    --------
    >>> Place.of(53.5511, 9.9937)
    Place(latitude=53.6, longitude=10.0)
    """

    latitude: float
    longitude: float

    @classmethod
    def of(cls, latitude: float, longitude: float) -> Self:
        """Round a coordinate.

        Raises
        ------
        SettingsError
            It is none.
        """
        if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
            raise SettingsError(
                f"found {latitude:g}, {longitude:g} as a place; wanted degrees of latitude from "
                "-90 to 90 and of longitude from -180 to 180, like 53.6, 10.0"
            )
        return cls(round(latitude, 1) + 0.0, round(longitude, 1) + 0.0)


@dataclass(frozen=True)
class DayWeather:
    """The weather of a day; NaN where the provider doesn't say.

    Parameters
    ----------
    temperature_c : float
        Mean temperature two metres above the ground.
    rain_mm : float
        Precipitation of the day.
    """

    temperature_c: float
    rain_mm: float


def provider(url: str) -> OutgoingAddress:
    """Read the address of a provider that a person listed.

    Raises
    ------
    SettingsError
        It is none, or would be asked over the internet in the clear.
    """
    return OutgoingAddress.parse(url, listed_as="--weather", like=OPEN_METEO)


def fetch_weather(
    address: OutgoingAddress, place: Place, *, limit_s: float = 10.0
) -> dict[dt.date, DayWeather]:
    """Ask a provider for the last days and those to come.

    Parameters
    ----------
    address : OutgoingAddress
        The provider.
    place : Place
        Where; all that is told to it.
    limit_s : float
        Seconds that it may take.

    Raises
    ------
    FederationError
        It doesn't answer, or not in the format; says why.
    """
    query = {
        "latitude": f"{place.latitude:.1f}",
        "longitude": f"{place.longitude:.1f}",
        "daily": ",".join(_VARIABLES.values()),
        "timezone": "auto",
        "past_days": f"{PAST_DAYS}",
        "forecast_days": f"{DAYS_AHEAD}",
    }
    answer = read_json(address, urlencode(query, safe=","), limit_s=limit_s)
    try:
        return weather_of(answer)
    except (ValueError, KeyError, TypeError) as error:
        raise FederationError(
            f"{address.host} answered in another format than Open-Meteo's ({error!r:.80})"
        ) from error


def weather_of(answer: Mapping[str, Any]) -> dict[dt.date, DayWeather]:
    """Read an answer; what can't be weather counts as not said.

    Raises
    ------
    ValueError, KeyError, TypeError
        It isn't in the format.
    """
    daily = answer["daily"]
    days = [dt.date.fromisoformat(day) for day in daily["time"]]
    warmth = [_within(value, _COLDEST, _WARMEST) for value in daily[_VARIABLES["temperature_c"]]]
    rain = [_within(value, 0.0, _WETTEST) for value in daily[_VARIABLES["rain_mm"]]]
    return {day: DayWeather(*said) for day, *said in zip(days, warmth, rain, strict=True)}


def _within(value: Any, least: float, most: float) -> float:
    found = math.nan if value is None else float(value)
    return found if least <= found <= most else math.nan
