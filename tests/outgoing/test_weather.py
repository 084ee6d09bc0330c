"""The weather of a place, from a provider on this machine: what leaves, and what is taken."""

from __future__ import annotations

import datetime as dt
import math
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.errors import FederationError, SettingsError
from glean.outgoing.weather import DayWeather, Place, fetch_weather, provider
from tests.outgoing.answering_server import answering, open_meteo

FIRST = dt.date(2026, 11, 28)
KIEL = Place.of(54.3233, 10.1228)
ANSWER = open_meteo(FIRST, [3.5, None, -2.0], [0.0, 4.2, None])


@given(st.floats(-90, 90), st.floats(-180, 180))
def test_no_place_is_more_exact_than_a_tenth_of_a_degree(latitude: float, longitude: float) -> None:
    """Whatever was typed; and never farther away than half of it."""
    place = Place.of(latitude, longitude)
    for found, typed in ((place.latitude, latitude), (place.longitude, longitude)):
        assert float(f"{found:.1f}") == found
        assert abs(found - typed) <= 0.05 + 1e-9


@pytest.mark.parametrize(("latitude", "longitude"), [(91, 0), (0, 181), (math.nan, 0)])
def test_what_is_no_place_is_refused(latitude: float, longitude: float) -> None:
    """With how one looks."""
    with pytest.raises(SettingsError, match="wanted degrees of latitude"):
        Place.of(latitude, longitude)


def test_only_the_rounded_place_leaves() -> None:
    """All of the request is known; the days come back as they are, gaps too."""
    with answering(ANSWER) as server:
        days = fetch_weather(provider(server.url), KIEL)
    (asked,) = server.asked
    assert parse_qs(urlsplit(asked).query) == {
        "latitude": ["54.3"],
        "longitude": ["10.1"],
        "daily": ["temperature_2m_mean,precipitation_sum"],
        "timezone": ["auto"],
        "past_days": ["92"],
        "forecast_days": ["16"],
    }
    assert days[FIRST] == DayWeather(3.5, 0.0)
    assert math.isnan(days[FIRST + dt.timedelta(days=1)].temperature_c)
    assert math.isnan(days[FIRST + dt.timedelta(days=2)].rain_mm)


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>",
        b"[" * 100_000,
        {"daily": {"time": ["2026-11-28"]}},
        {"daily": {"time": ["soon"], "temperature_2m_mean": [1], "precipitation_sum": [1]}},
        {"daily": {"time": ["2026-11-28"], "temperature_2m_mean": [], "precipitation_sum": [1]}},
        {
            "daily": {
                "time": ["2026-11-28"],
                "temperature_2m_mean": ["hot"],
                "precipitation_sum": [1],
            }
        },
        {"error": True},
        b"7",
        b"x" * 2_000_000,
    ],
)
def test_what_is_no_weather_is_refused_in_words(answer: Any) -> None:
    """Nothing that arrives is trusted."""
    with answering(answer) as server, pytest.raises(FederationError, match=r"127\.0\.0\.1"):
        fetch_weather(provider(server.url), KIEL)


def test_no_weather_is_beyond_what_there_is() -> None:
    """A temperature of 9,999 degrees is a gap."""
    with answering(open_meteo(FIRST, [9999.0], [-5.0])) as server:
        (found,) = fetch_weather(provider(server.url), KIEL).values()
    assert math.isnan(found.temperature_c)
    assert math.isnan(found.rain_mm)


@pytest.mark.parametrize("status", [302, 404, 429, 500])
def test_another_status_is_said_and_no_redirect_followed(status: int) -> None:
    """A redirect could lead to a machine of this network."""
    with (
        answering(ANSWER) as inner,
        answering(b"", status=status, location=inner.url) as outer,
        pytest.raises(FederationError, match=f"answered {status}"),
    ):
        fetch_weather(provider(outer.url), KIEL)
    assert inner.asked == []


def test_a_provider_that_drips_is_given_up() -> None:
    """All of an answer has one limit, not each byte its own."""
    begun = time.monotonic()
    with (
        answering(b"{" + b" " * 400, pause_s=0.05) as server,
        pytest.raises(FederationError, match=r"too long|doesn't answer"),
    ):
        fetch_weather(provider(server.url), KIEL, limit_s=0.5)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("url", ["http://example.org/x", "ftp://example.org", "example.org", ""])
def test_what_would_go_in_the_clear_is_refused(url: str) -> None:
    """And what is no address; both name the option."""
    with pytest.raises(SettingsError, match="--weather: found"):
        provider(url)
