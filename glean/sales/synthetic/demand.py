"""Expected demand of a synthetic bakery day by day, and the sales that come of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glean.sales.synthetic import parameters
from glean.sales.synthetic.surroundings import Surroundings
from glean.sales.synthetic.traits import Traits


@dataclass(frozen=True)
class Offers:
    """Prices of one bakery; n days, p products.

    Parameters
    ----------
    shelf_price, price : ndarray, shape (n, p)
        Euros without and with the promotion.
    real_price : ndarray, shape (n, p)
        Shelf price over the first one, less the general inflation.
    promotion : ndarray, shape (n, p)
        0 or 1.
    """

    shelf_price: np.ndarray
    price: np.ndarray
    real_price: np.ndarray
    promotion: np.ndarray


def open_days(traits: Traits, around: Surroundings) -> np.ndarray:
    """Tell on which days the bakery sells (n bools)."""
    dates = around.dates
    holiday = around.holiday > 0
    is_open = traits.open_weekdays[around.weekday]
    is_open = np.where(holiday, traits.open_on_holidays, is_open)
    month_day = np.asarray(dates.month) * 100 + np.asarray(dates.day)
    is_open &= (month_day != 1225) & (month_day != 101)
    if traits.break_day:
        since = np.asarray(dates.day_of_year) - traits.break_day
        is_open &= ~((since >= 0) & (since < parameters.SUMMER_BREAK_DAYS))
    return np.asarray(is_open & np.asarray(dates >= traits.first_day))


def draw_offers(traits: Traits, around: Surroundings, stream: np.random.Generator) -> Offers:
    """Raise prices about once a year, all products at once; promote single products by the week."""
    days = np.arange(len(around.dates))
    factor = np.ones(len(days))
    raise_day = int(stream.integers(0, parameters.RAISE_MAX_DAYS))
    while raise_day < len(days):
        factor[raise_day:] *= 1 + stream.uniform(parameters.RAISE_MIN, parameters.RAISE_MAX)
        raise_day += int(stream.integers(parameters.RAISE_MIN_DAYS, parameters.RAISE_MAX_DAYS))
    dearness = np.exp(stream.normal(0.0, parameters.PRICE_SD))
    first = np.array([product.price for product in traits.products]) * dearness
    shelf_price = np.round(first * factor[:, None] * 20) / 20  # to five cents
    inflation = np.exp(parameters.INFLATION * days / 365.25)

    week = days // 7  # FIRST_DAY is a Monday
    shape = (week[-1] + 1, len(first))
    promoted = stream.random(shape) < parameters.PROMOTION_SHARE
    cut = np.array(parameters.PROMOTION_CUTS)[
        stream.integers(0, len(parameters.PROMOTION_CUTS), shape)
    ]
    promotion = promoted[week].astype(float)
    return Offers(
        shelf_price=shelf_price,
        price=np.round(shelf_price * (1 - promotion * cut[week]), 2),
        real_price=shelf_price / shelf_price[0] / inflation[:, None],
        promotion=promotion,
    )


def draw_drift(traits: Traits, days: int, stream: np.random.Generator) -> np.ndarray:
    """Let bakery and products wander slowly: random walks in log units, shape (n, p)."""
    count = len(traits.products)
    daily = 1 / np.sqrt(365.25)
    bakery = stream.normal(0.0, parameters.DRIFT_BAKERY_SD * daily, (days, 1))
    product = stream.normal(0.0, parameters.DRIFT_PRODUCT_SD * daily, (days, count))
    return np.asarray(np.cumsum(bakery + product, axis=0))


def expected_demand(
    traits: Traits, around: Surroundings, offers: Offers, drift: np.ndarray
) -> np.ndarray:
    """Multiply the level by every effect of the day: units, shape (n, p).

    On a public holiday the Sunday factor takes the weekday's place, then the holiday effect
    comes on top. Rounded to 1e-6, so that the last bit of an exponential, which differs between
    processors, can't change what is drawn from it.
    """
    weekday = np.where(around.holiday > 0, 6, around.weekday)
    angle = 2 * np.pi * np.asarray(around.dates.day_of_year) / 365.25
    year = np.column_stack([np.cos(angle), np.sin(angle)])
    heat = np.maximum(around.temperature_c - 22.0, 0.0) / 5.0
    logs = (
        traits.weekday[:, weekday].T
        + year @ traits.season.T
        + np.outer(around.holiday, traits.holiday)
        + np.outer(around.eve, traits.eve)
        + np.outer(around.after, traits.after)
        + np.outer(around.school_holiday, traits.school)
        + np.outer(around.anomaly_c / 10.0, traits.temperature)
        + np.outer(heat, traits.heat)
        + np.outer(np.minimum(around.rain_mm, 20.0) / 10.0, traits.rain)
        + offers.promotion * traits.promotion
        + np.log(offers.real_price) * traits.elasticity
        + drift
    )
    expected: np.ndarray = np.round(traits.level * np.exp(logs), 6)
    return expected


def draw_demand(
    expected: np.ndarray, dispersion: np.ndarray, stream: np.random.Generator
) -> np.ndarray:
    """Draw whole units around the expected demand, shape (n, p).

    A shock of the day that all products share (gamma, mean 1) times a negative binomial of each
    product (a Poisson of a gamma): mean = expected, variance = expected + (dispersion + shock**2
    + dispersion * shock**2) * expected**2.
    """
    calm = 1 / parameters.DAY_SHOCK_SD**2
    day = stream.gamma(calm, 1 / calm, (expected.shape[0], 1))
    own = stream.gamma(1 / dispersion, dispersion, expected.shape)
    return stream.poisson(np.round(expected * day * own, 6))


def draw_baked(expected: np.ndarray, safety: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    """Bake what the baker guesses plus a margin (whole units, at least one), shape (n, p)."""
    guess = stream.normal(0.0, parameters.GUESS_SD, expected.shape)
    return np.maximum(np.ceil(np.round(expected * np.exp(safety + guess), 6)), 1.0)


def sold_out_minutes(demand: np.ndarray, baked: np.ndarray) -> np.ndarray:
    """Minute of the day at which the last unit went; -1 where something was left, shape (n, p).

    Of a day's customers the share 1 - (1 - t)**MORNING has come when the share t of the opening
    hours is over.
    """
    out = demand > baked
    served = np.where(out, baked / np.maximum(demand, 1.0), 0.0)
    over = 1 - (1 - served) ** (1 / parameters.MORNING)
    hours = parameters.CLOSES_MINUTE - parameters.OPENS_MINUTE
    minute = parameters.OPENS_MINUTE + np.floor(np.round(over * hours, 6))
    return np.where(out, minute, -1.0).astype(np.int64)
