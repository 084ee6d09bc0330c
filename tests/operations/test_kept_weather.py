"""Weather is asked for seldom, kept, and there when the provider isn't."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path

import pytest

from glean.errors import FederationError
from glean.operations.shop.kept_weather import FILE, FRESH, current_weather, read_weather
from glean.outgoing.weather import DayWeather, Place

KIEL = Place.of(54.3, 10.1)
NOW = dt.datetime(2026, 11, 30, 4, 0, tzinfo=dt.UTC)
TODAY = NOW.date()
LATER = NOW + FRESH


class Provider:
    """Says of each day how often it was asked before."""

    def __init__(self) -> None:
        self.asked: list[Place] = []
        self.gone = False

    def __call__(self, place: Place) -> dict[dt.date, DayWeather]:
        self.asked.append(place)
        if self.gone:
            raise FederationError("nobody is there")
        warmth = float(len(self.asked))
        return {TODAY + dt.timedelta(days=k): DayWeather(warmth, math.nan) for k in (-1, 0, 1)}


def test_a_fresh_forecast_is_not_asked_for_again(tmp_path: Path) -> None:
    """Until three hours have passed; then the newer one counts."""
    ask = Provider()
    first = current_weather(tmp_path, KIEL, ask, now=NOW)
    again = current_weather(tmp_path, KIEL, ask, now=NOW + FRESH - dt.timedelta(seconds=1))
    assert len(ask.asked) == 1
    assert first.days[TODAY].temperature_c == again.days[TODAY].temperature_c == 1.0
    assert current_weather(tmp_path, KIEL, ask, now=LATER).days[TODAY].temperature_c == 2.0


def test_without_the_provider_what_was_heard_counts(tmp_path: Path) -> None:
    """With why it isn't newer; and nothing is known where nothing was ever heard."""
    ask = Provider()
    current_weather(tmp_path, KIEL, ask, now=NOW)
    ask.gone = True
    found = current_weather(tmp_path, KIEL, ask, now=LATER)
    assert found.problem == "nobody is there"
    assert (found.heard_at, found.days[TODAY].temperature_c) == (NOW, 1.0)
    assert current_weather(tmp_path / "new", KIEL, ask, now=NOW).days == {}


def test_days_that_have_been_stay(tmp_path: Path) -> None:
    """Though the provider tells of the last ones only."""
    ask = Provider()
    current_weather(tmp_path, KIEL, ask, now=NOW - dt.timedelta(days=200))
    first = TODAY + dt.timedelta(days=-1)
    found = current_weather(tmp_path, KIEL, lambda _: {TODAY: DayWeather(9.0, 0.0)}, now=NOW)
    assert found.days[first].temperature_c == 1.0
    assert found.days[TODAY].temperature_c == 9.0
    assert list(found.days) == sorted(found.days)


def test_another_place_begins_anew(tmp_path: Path) -> None:
    """No day of one place counts at another."""
    ask = Provider()
    current_weather(tmp_path, KIEL, ask, now=NOW)
    ask.gone = True
    assert current_weather(tmp_path, Place.of(48.8, 2.4), ask, now=NOW).days == {}


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"days": {"x": 1}}', b"\xff"])
def test_a_damaged_file_is_as_none(tmp_path: Path, content: bytes) -> None:
    """It is asked for anew."""
    (tmp_path / FILE).write_bytes(content)
    assert read_weather(tmp_path) is None
    assert current_weather(tmp_path, KIEL, Provider(), now=NOW).days


def test_what_is_kept_is_read_as_it_was(tmp_path: Path) -> None:
    """Gaps too."""
    found = current_weather(tmp_path, KIEL, Provider(), now=NOW)
    kept = read_weather(tmp_path)
    assert kept is not None
    assert (kept.place, kept.heard_at, list(kept.days)) == (KIEL, NOW, list(found.days))
    assert math.isnan(kept.days[TODAY].rain_mm)
