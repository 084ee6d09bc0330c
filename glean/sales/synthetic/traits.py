"""The character of one synthetic bakery, drawn around its population."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from glean.sales.synthetic import parameters
from glean.sales.synthetic.catalogue import (
    CATALOGUE,
    FIRST_WORDS,
    LAST_WORDS,
    REGIONS,
    CatalogueEntry,
)
from glean.sales.synthetic.parameters import Population, Spread


@dataclass(frozen=True)
class Traits:
    """Everything about a bakery that doesn't change from day to day; p products.

    Parameters
    ----------
    name, region : str
        As `SyntheticBakery` shows them.
    products : tuple of Product
        In text order of their names.
    first_day : Timestamp
        Nothing was sold before.
    open_weekdays : ndarray of bool, shape (7,)
        Ordinary opening days.
    open_on_holidays : bool
        Whether it opens on public holidays (never on 25 December and 1 January).
    break_day : int
        Day of the year on which the yearly break begins; 0: none.
    level : ndarray, shape (p,)
        Units a day over an ordinary week, before all effects.
    weekday : ndarray, shape (p, 7)
        Log factors; the mean factor of the opening days is 1.
    season : ndarray, shape (p, 2)
        Log effects of the cosine and the sine of the year.
    holiday, eve, after, school, temperature, heat, rain, promotion, elasticity : ndarray, (p,)
        Log effects in the units of `Population`.
    dispersion : ndarray, shape (p,)
        Negative binomial: variance = mean + dispersion * mean**2.
    safety : ndarray, shape (p,)
        Log of what is baked over what the baker expects.
    """

    name: str
    region: str
    products: tuple[CatalogueEntry, ...]
    first_day: pd.Timestamp
    open_weekdays: np.ndarray
    open_on_holidays: bool
    break_day: int
    level: np.ndarray
    weekday: np.ndarray
    season: np.ndarray
    holiday: np.ndarray
    eve: np.ndarray
    after: np.ndarray
    school: np.ndarray
    temperature: np.ndarray
    heat: np.ndarray
    rain: np.ndarray
    promotion: np.ndarray
    elasticity: np.ndarray
    dispersion: np.ndarray
    safety: np.ndarray


def name_of(index: int) -> str:
    """Name bakery `index`; 31 and 8 words have no common factor, so 248 names come before any 2."""
    name = f"{FIRST_WORDS[index % len(FIRST_WORDS)]} {LAST_WORDS[index % len(LAST_WORDS)]}"
    turn = index // (len(FIRST_WORDS) * len(LAST_WORDS))
    return f"{name} {turn + 1}" if turn else name


def draw_traits(index: int, population: Population, stream: np.random.Generator) -> Traits:
    """Draw the character of bakery `index`."""
    weights = np.array([region.weight for region in REGIONS], dtype=float)
    region = REGIONS[stream.choice(len(REGIONS), p=weights / weights.sum())].code
    first_day = _first_day(index, stream)
    open_weekdays, open_on_holidays, break_day = _open_days(stream)
    products = _assortment(stream)
    level = _level(index, products, stream)
    weekday = _weekday(products, population, open_weekdays, stream)
    return Traits(
        name=name_of(index),
        region=region,
        products=products,
        first_day=first_day,
        open_weekdays=open_weekdays,
        open_on_holidays=open_on_holidays,
        break_day=break_day,
        level=level,
        weekday=weekday,
        **_effects(products, population, stream),
        dispersion=parameters.DISPERSION_MEDIAN
        * np.exp(stream.normal(0.0, parameters.DISPERSION_LOG_SD, len(products))),
        safety=stream.normal(parameters.SAFETY_MEAN, parameters.SAFETY_SD, len(products)),
    )


def _effects(
    products: tuple[CatalogueEntry, ...], population: Population, stream: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draw the log effects by the names they have in `Traits`."""
    kinds = [product.kind for product in products]

    def effect(spread: Spread, of_kinds: np.ndarray | float = 0.0) -> np.ndarray:
        """One effect for each product, around the population and what the kinds have."""
        bakery = stream.normal(spread.mean, spread.bakery_sd)
        own = stream.normal(0.0, spread.product_sd, len(products))
        return np.asarray(population.kinds * of_kinds + bakery + own)

    amplitude, peak = np.array([kind.season for kind in kinds]).T
    angle = 2 * np.pi * peak / 365.25
    cosine = effect(population.season, amplitude * np.cos(angle))
    sine = effect(population.season, amplitude * np.sin(angle))
    return {
        "season": np.column_stack([cosine, sine]),
        "holiday": effect(population.holiday),
        "eve": effect(population.eve),
        "after": effect(population.after),
        "school": effect(population.school),
        "temperature": effect(
            population.temperature, np.array([kind.temperature for kind in kinds])
        ),
        "heat": effect(population.heat, np.array([kind.heat for kind in kinds])),
        "rain": effect(population.rain),
        "promotion": effect(population.promotion),
        "elasticity": effect(population.elasticity),
    }


def _first_day(index: int, stream: np.random.Generator) -> pd.Timestamp:
    """Give most bakeries the whole history, some a part of it, every tenth a few weeks."""
    late = stream.random() < parameters.LATE_START_SHARE
    whole = (parameters.LAST_DAY - parameters.FIRST_DAY).days + 1
    days = int(stream.integers(parameters.LATE_START_MIN_DAYS, whole)) if late else whole
    if index % parameters.YOUNG_EVERY == parameters.YOUNG_OFFSET:
        days = parameters.YOUNG_DAYS + parameters.TEST_DAYS
    return parameters.LAST_DAY - pd.Timedelta(days=days - 1)


def _open_days(stream: np.random.Generator) -> tuple[np.ndarray, bool, int]:
    """Draw the weekdays on which it opens, whether on holidays, and the day its break begins."""
    sunday, monday_rest, on_holidays, breaks = stream.random(4)
    open_weekdays = np.ones(7, dtype=bool)
    open_weekdays[6] = sunday < parameters.SUNDAY_OPEN_SHARE
    open_weekdays[0] = not (open_weekdays[6] and monday_rest < parameters.MONDAY_REST_SHARE)
    open_on_holidays = bool(open_weekdays[6] and on_holidays < parameters.HOLIDAY_OPEN_SHARE)
    break_day = int(stream.integers(196, 230))
    return (
        open_weekdays,
        open_on_holidays,
        break_day if breaks < parameters.SUMMER_BREAK_SHARE else 0,
    )


def _assortment(stream: np.random.Generator) -> tuple[CatalogueEntry, ...]:
    """Pick some products of the catalogue, those that sell well more often."""
    count = stream.integers(parameters.FEWEST_PRODUCTS, parameters.MOST_PRODUCTS + 1)
    shares = np.array([product.share for product in CATALOGUE])
    picked = stream.choice(len(CATALOGUE), size=count, replace=False, p=shares / shares.sum())
    return tuple(sorted((CATALOGUE[number] for number in picked), key=lambda item: item.name))


def _level(
    index: int, products: tuple[CatalogueEntry, ...], stream: np.random.Generator
) -> np.ndarray:
    """Spread sizes evenly over the orders of magnitude (golden ratio), then split by share."""
    evenly = (index * (np.sqrt(5.0) - 1) / 2) % 1.0
    units = parameters.SMALLEST_UNITS_A_DAY * parameters.SIZE_RANGE**evenly
    shares = np.array([product.share for product in products])
    shares *= np.exp(stream.normal(0.0, parameters.SHARE_SD, len(products)))
    return np.asarray(units * shares / shares.sum())


def _weekday(
    products: tuple[CatalogueEntry, ...],
    population: Population,
    open_weekdays: np.ndarray,
    stream: np.random.Generator,
) -> np.ndarray:
    """Log weekday factors around the kind's, scaled to a mean factor of 1 over opening days."""
    kinds = population.kinds * np.log([product.kind.weekday for product in products])
    bakery = stream.normal(0.0, population.weekday_sd)
    product = stream.normal(0.0, population.weekday_product_sd, (len(products), 7))
    logs = kinds + bakery + product
    mean = np.exp(logs[:, open_weekdays]).mean(axis=1, keepdims=True)
    return np.asarray(logs - np.log(mean))
