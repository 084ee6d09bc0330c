"""A table gets the weather that it lacks, and keeps its own."""

from __future__ import annotations

import datetime as dt

import numpy as np

from glean.sales.weather_columns import with_weather
from tests.tables import random_table

TABLE = random_table(days=10)
KNOWN = {dt.date(2023, 1, 3): (4.5, 1.0), dt.date(2023, 1, 4): (np.nan, 2.0)}


def test_days_that_are_known_are_filled_in() -> None:
    """All products of a day alike, and no other cell moves."""
    found = with_weather(TABLE, KNOWN).rows
    for day, *weather in found[["date", "temperature_c", "rain_mm"]].to_numpy().tolist():
        np.testing.assert_equal(tuple(weather), KNOWN.get(day.date(), (np.nan, np.nan)))
    assert found[TABLE.rows.columns.tolist()].equals(TABLE.rows)


def test_a_table_s_own_weather_stays() -> None:
    """Its thermometer may stand elsewhere: no column is mixed of both."""
    own = TABLE.rows.assign(temperature_c=np.nan)
    own.loc[0, "temperature_c"] = 20.0
    found = with_weather(type(TABLE)(own), KNOWN).rows
    assert found["temperature_c"].equals(own["temperature_c"])
    assert found["rain_mm"].notna().any()


def test_nothing_known_changes_nothing() -> None:
    """The same table, to the column."""
    assert with_weather(TABLE, {}) is TABLE
