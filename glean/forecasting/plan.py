"""The bake plan of a day: how much of each product, the likely range, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from glean.forecasting.drivers import MOST_NAMED, Driver, foremost
from glean.forecasting.newsvendor import bake_quantity
from glean.forecasting.recursive_forecast import LEVELS, ForecastRow
from glean.languages.language import Language
from glean.sales.products import CO2E_PER_KG, Product

WHOLE_FROM = 100.0
"""Kilograms, or money, from which on a plan has no tenths."""

LIKELY = (0.1, 0.9)
"""Levels between which demand lies on four days of five."""


@dataclass(frozen=True)
class PlannedProduct:
    """One line of a plan.

    Parameters
    ----------
    product : str
        The product.
    bake : float
        Units to bake.
    expected : float
        Units expected to be asked for.
    low, high : float
        Likely range of what is asked for, units (see `LIKELY`).
    ratio : float
        Critical ratio: share of such days on which it shouldn't sell out.
    left_over, missed : float
        Units left over and missed on average over such days.
    cost : float
        Money lost with these, NaN without price and cost.
    left_over_kg, left_over_co2e_kg : float
        Kilograms, and of CO2 equivalents behind them, NaN without a weight.
    drivers : tuple of Driver
        What moves the forecast most; empty where nothing stands out.
    """

    product: str
    bake: float
    expected: float
    low: float
    high: float
    ratio: float
    left_over: float
    missed: float
    cost: float
    left_over_kg: float
    left_over_co2e_kg: float
    drivers: tuple[Driver, ...]

    def why(self, language: Language, *, most: int = MOST_NAMED) -> str:
        """Say what moves the forecast most, "" where nothing stands out."""
        return ", ".join(driver.in_words(language) for driver in foremost(self.drivers, most))


@dataclass(frozen=True)
class BakePlan:
    """A day's plan and what the week looks like.

    Parameters
    ----------
    bakery : str
        The bakery.
    date : Timestamp
        The day to bake for.
    products : tuple of PlannedProduct
        The biggest first.
    week : tuple of (Timestamp, float)
        Days that were forecast, with the units expected of all products, for staffing.
    """

    bakery: str
    date: pd.Timestamp
    products: tuple[PlannedProduct, ...]
    week: tuple[tuple[pd.Timestamp, float], ...]


def plan_day(
    rows: Sequence[ForecastRow],
    products: Mapping[str, Product],
    *,
    bakery: str,
    date: pd.Timestamp,
    pieces: frozenset[str] | None = None,
) -> BakePlan:
    """Plan a day.

    Parameters
    ----------
    rows : sequence of ForecastRow
        The forecast of that day and others.
    products : mapping of str to Product
        The product list; a product that isn't there is planned for the usual service level.
    bakery : str
        The bakery.
    date : Timestamp
        The day to bake for.
    pieces : frozenset of str, optional
        Products that are counted in pieces, by default all; those in money or kilograms are planned
        to a tenth, from `WHOLE_FROM` on to a whole.
    """
    lines = [
        _planned(
            row,
            products.get(row.product, Product(row.product)),
            pieces is None or row.product in pieces,
        )
        for row in rows
        if row.date == date
    ]
    totals: dict[pd.Timestamp, float] = {}
    for row in rows:
        totals[row.date] = totals.get(row.date, 0.0) + row.units
    return BakePlan(
        bakery=bakery,
        date=date,
        products=tuple(sorted(lines, key=lambda line: (-line.expected, line.product))),
        week=tuple(sorted(totals.items())),
    )


def _planned(row: ForecastRow, product: Product, in_pieces: bool) -> PlannedProduct:
    ratio = min(max(product.critical_ratio, float(LEVELS[0])), float(LEVELS[-1]))
    bake = _quantity(row, product, ratio, in_pieces)
    # Demand is as likely between any two neighbouring quantiles.
    left_over = float(np.maximum(bake - row.quantiles, 0.0).mean())
    missed = float(np.maximum(row.quantiles - bake, 0.0).mean())
    cost = product.waste_cost(left_over, missed)
    low, high = row.between(*LIKELY)
    return PlannedProduct(
        product=row.product,
        bake=bake,
        expected=row.units,
        low=low,
        high=high,
        ratio=ratio,
        left_over=left_over,
        missed=missed,
        cost=float("nan") if cost is None else cost,
        left_over_kg=left_over * product.weight_kg,
        left_over_co2e_kg=left_over * product.weight_kg * CO2E_PER_KG,
        drivers=row.drivers,
    )


def _quantity(row: ForecastRow, product: Product, ratio: float, in_pieces: bool) -> float:
    batch, minimum = product.batch_size, product.minimum
    if np.isnan(batch) and not in_pieces:
        quantity = float(np.interp(ratio, LEVELS, row.quantiles))
        quantity = round(quantity, 1 if quantity < WHOLE_FROM else 0)
        return quantity if quantity >= np.nan_to_num(minimum) else 0.0
    return bake_quantity(
        LEVELS,
        row.quantiles,
        ratio=ratio,
        batch=1.0 if np.isnan(batch) else batch,
        minimum=0.0 if np.isnan(minimum) else minimum,
    )
