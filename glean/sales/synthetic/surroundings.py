"""What a synthetic bakery finds outside its door: calendar and weather of its region, by day."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from glean.sales.calendars import public_holidays
from glean.sales.synthetic import parameters
from glean.sales.synthetic.catalogue import REGIONS, Region

_SPIN_UP_DAYS = 60  # weather needs some days to forget where it started


@dataclass(frozen=True)
class Surroundings:
    """Calendar and weather of a region; every array has one entry a day, n days in all.

    Parameters
    ----------
    dates : DatetimeIndex
        `FIRST_DAY` to `LAST_DAY`.
    weekday : ndarray of int
        0 is Monday.
    holiday, eve, after, school_holiday : ndarray of float
        0 or 1: public holiday, ordinary day before one, ordinary day after one, no school.
    temperature_c, rain_mm : ndarray of float
        Mean of the day and its rain, to 0.1.
    anomaly_c : ndarray of float
        Temperature above the normal of the day.
    """

    dates: pd.DatetimeIndex
    weekday: np.ndarray
    holiday: np.ndarray
    eve: np.ndarray
    after: np.ndarray
    school_holiday: np.ndarray
    temperature_c: np.ndarray
    anomaly_c: np.ndarray
    rain_mm: np.ndarray


def region_called(code: str) -> Region:
    """Find a region of the synthetic bakeries by its code."""
    return next(region for region in REGIONS if region.code == code)


@cache
def surroundings_of(code: str) -> Surroundings:
    """Lay out calendar and weather of a region, the same for all its bakeries."""
    region = region_called(code)
    dates = pd.date_range(parameters.FIRST_DAY, parameters.LAST_DAY)
    day = pd.Timedelta(days=1)
    holidays = public_holidays(code, dates[0] - day, dates[-1] + day)
    holiday = np.asarray(dates.isin(holidays))
    temperature_c, anomaly_c = _temperature(region, dates)
    return Surroundings(
        dates=dates,
        weekday=np.asarray(dates.day_of_week),
        holiday=holiday.astype(float),
        eve=(np.asarray(dates.isin(holidays - day)) & ~holiday).astype(float),
        after=(np.asarray(dates.isin(holidays + day)) & ~holiday).astype(float),
        school_holiday=_school_holidays(region, dates),
        temperature_c=temperature_c,
        anomaly_c=anomaly_c,
        rain_mm=_rain(region, len(dates)),
    )


def _weather_stream(region: Region, element: int) -> np.random.Generator:
    """Give each region and element of the weather its own random stream."""
    letters = [ord(letter) for letter in region.code]
    return np.random.default_rng(np.random.SeedSequence([parameters.SEED, 0, element, *letters]))


def _temperature(region: Region, dates: pd.DatetimeIndex) -> tuple[np.ndarray, np.ndarray]:
    """Add an autoregressive anomaly to the normal of the day (°C, to 0.1)."""
    memory = parameters.ANOMALY_MEMORY
    innovation_sd = parameters.ANOMALY_SD_C * np.sqrt(1 - memory**2)
    shocks = _weather_stream(region, 1).normal(0.0, innovation_sd, _SPIN_UP_DAYS + len(dates))
    anomalies = np.empty_like(shocks)
    anomaly = 0.0
    for position, shock in enumerate(shocks):
        anomaly = memory * anomaly + shock
        anomalies[position] = anomaly
    angle = 2 * np.pi * (np.asarray(dates.day_of_year) - parameters.WARMEST_DAY) / 365.25
    normal = region.temperature_c + region.amplitude_c * np.cos(angle)
    temperature = np.round(normal + anomalies[_SPIN_UP_DAYS:], 1) + 0.0  # no "-0.0" in a file
    return temperature, np.round(temperature - normal, 3)


def _rain(region: Region, days: int) -> np.ndarray:
    """Wet days come in spells (a two-state Markov chain), their rain is gamma (mm, to 0.1)."""
    stream = _weather_stream(region, 2)
    after_dry = region.wet_share * (1 - parameters.WET_MEMORY)
    chance = stream.random(_SPIN_UP_DAYS + days)
    wet = np.empty(chance.size, dtype=bool)
    state = False
    for position, draw in enumerate(chance):
        state = bool(draw < after_dry + parameters.WET_MEMORY * state)
        wet[position] = state
    shape = parameters.RAIN_SHAPE
    amount = stream.gamma(shape, region.rain_mm / shape, _SPIN_UP_DAYS + days)
    return np.where(wet, np.round(np.maximum(amount, 0.1), 1), 0.0)[_SPIN_UP_DAYS:]


def _school_holidays(region: Region, dates: pd.DatetimeIndex) -> np.ndarray:
    """Mark two weeks at Christmas, at Easter and in autumn, and six in summer."""
    free = np.zeros(len(dates), dtype=bool)
    for year in range(dates[0].year - 1, dates[-1].year + 1):
        easter = pd.Timestamp(year, 1, 1) + pd.offsets.Easter()
        summer = pd.Timestamp(year, 1, 1) + pd.Timedelta(days=region.summer_start - 1)
        autumn = summer + pd.Timedelta(days=91)
        for start, length in (
            (easter - pd.Timedelta(days=8), 15),
            (summer, 42),
            (autumn, 14),
            (pd.Timestamp(year, 12, 22), 15),
        ):
            free |= (dates >= start) & (dates < start + pd.Timedelta(days=length))
    return free.astype(float)
