"""A day's plan as plain values that JSON carries, with its words in all languages."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from glean.forecasting.context import ForecastContext
from glean.forecasting.plan import PlannedProduct
from glean.forecasting.recursive_forecast import LEVELS, ForecastRow
from glean.languages.language import LANGUAGES, LanguageCode, language
from glean.operations.planning.day_headline import day_headline, usual_units
from glean.operations.planning.plan import DayPlan
from glean.operations.planning.plan_remarks import plan_remarks
from glean.sales.known_future import KnownFuture
from glean.sales.products import Product
from glean.sales.table import SalesTable

VERSION = 1
"""Of the content; a kept plan of another one is made anew."""

QUANTILE_LEVELS = tuple(level / 20 for level in range(1, 20))
"""Levels of the quantiles that a kept plan has of each product."""

RECENT_DAYS = 56
"""Days of which a product's sales a day are the mean, for choosing what is baked."""


def plan_values(
    context: ForecastContext,
    made: DayPlan,
    kept: Mapping[str, ForecastRow],
    listed: Mapping[str, Product],
    *,
    known_future: KnownFuture,
    now: pd.Timestamp,
) -> dict[str, Any]:
    """Write a day's plan.

    Parameters
    ----------
    context : ForecastContext
        The bakery's.
    made : DayPlan
        Its plan.
    kept : mapping of str to ForecastRow
        Forecasts of the products that the plan is for.
    listed : mapping of str to Product
        The product list of that weekday.
    known_future : KnownFuture
        What the bakery knows of the days to come.
    now : Timestamp
        Today by the clock.
    """
    day = made.plan.date
    sold = context.sales.rows
    usual = usual_units(sold[sold["product"].isin(kept)], day, region=context.region)
    return {
        "version": VERSION,
        "date": f"{day:%Y-%m-%d}",
        "bakery": context.name,
        "known_until": f"{context.today:%Y-%m-%d}",
        "units_label": context.units_label,
        "federation": bool(context.source.client_files),
        "usual": _known(usual),
        "headline": {
            code: day_headline(
                day, kept.values(), usual=usual, region=context.region, language=language(code)
            )
            for code in LANGUAGES
        },
        "remarks": {code: _remarks(context, made, known_future, now, code) for code in LANGUAGES},
        "unknown": {
            code: [item.in_words(language(code)) for item in made.unknown] for code in LANGUAGES
        },
        "days": [[f"{date:%Y-%m-%d}", round(units, 1)] for date, units in made.plan.week],
        "products": [
            _product_values(line, kept[line.product], listed)
            for line in made.plan.products
            if line.product in kept
        ],
    }


def _remarks(
    context: ForecastContext,
    made: DayPlan,
    known_future: KnownFuture,
    now: pd.Timestamp,
    code: LanguageCode,
) -> list[str]:
    return list(
        plan_remarks(
            context,
            made.plan.date,
            language(code),
            planned={row.product for row in made.rows},
            known_future=known_future,
            now=now,
        )
    )


def _product_values(
    line: PlannedProduct, row: ForecastRow, listed: Mapping[str, Product]
) -> dict[str, Any]:
    about = listed.get(line.product, Product(line.product))
    return {
        "product": line.product,
        "category": about.category,
        "bake": line.bake,
        "expected": round(line.expected, 2),
        "low": round(line.low, 2),
        "high": round(line.high, 2),
        "ratio": round(line.ratio, 4),
        "enough": round(float(np.interp(line.bake, row.quantiles, LEVELS)), 4),
        "quantiles": [round(units, 2) for units in row.at(QUANTILE_LEVELS)],
        "margin": _known(about.margin),
        "loss": _known(about.loss),
        "shelf_life_days": _known(about.shelf_life_days) or 1.0,
        "batch": _known(about.batch_size),
        "minimum": _known(about.minimum),
        "why": {code: line.why(language(code), most=1) for code in LANGUAGES},
    }


def _known(value: float) -> float | None:
    """Give a number as JSON has it: none for NaN."""
    return None if math.isnan(value) else round(float(value), 4)


def products_of_late(sales: SalesTable, listed: Mapping[str, Product]) -> list[dict[str, Any]]:
    """List the products that were sold on the last days, the largest first."""
    rows = sales.rows
    late = rows[rows["date"] > rows["date"].max() - pd.Timedelta(days=RECENT_DAYS)]
    days = max(late["date"].nunique(), 1)
    found = []
    for name, group in late[late["units"] > 0].groupby("product", sort=True):
        found.append(
            {
                "name": str(name),
                "category": listed.get(str(name), Product(str(name))).category,
                "units": round(float(group["units"].sum()) / days, 2),
                "last": f"{group['date'].max():%Y-%m-%d}",
            }
        )
    return sorted(found, key=lambda item: (-item["units"], item["name"]))
