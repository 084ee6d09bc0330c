"""Products with few days of sales or none: what the bakery states stands in for them.

A product without a level can't be forecast. In come the sales there are and a product list that
says how many units the bakery expects; out comes a table in which the missing days before the first
sale are made up: the expected units, by the weekday profile that the federation's model has for a
product it knows nothing of. Days that were sold move the expectation, and from `STATED_DAYS` real
days on nothing is made up.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from glean.errors import SettingsError
from glean.features.definition import HOLIDAY_REACH_DAYS, LEVEL_DAYS
from glean.forecasting.predict import Model
from glean.learning.booster import predict
from glean.learning.model_weights import Weights, predict_weights
from glean.metrics import Floats
from glean.sales.products import Product
from glean.sales.table import SalesTable

STATED_DAYS = LEVEL_DAYS
"""Trading days that a product has once nothing is made up."""

PRIOR_DAYS = 3.0
"""Days of real sales that weigh as much as what was stated: owners know their size to about a
fifth, and a day's sales of a product scatter by about as much again and a half."""

USUAL_DAY = {
    "holiday": 0.0,
    "school_holiday": 0.0,
    "promotion": 0.0,
    "days_closed_before": 0.0,
    "days_to_holiday": HOLIDAY_REACH_DAYS,
    "days_since_holiday": HOLIDAY_REACH_DAYS,
}
"""Features of a day on which nothing is special; the others aren't known."""


def weekday_profile(model: Model) -> Floats:
    """Ask the federation's model what it expects of each weekday where nothing was sold yet.

    Parameters
    ----------
    model : Forest or Weights
        The federation's.

    Returns
    -------
    array of shape (7,)
        Monday first, mean 1.
    """
    names = model.definition.names
    x = np.full((7, len(names)), np.nan, dtype=np.float32)
    for name, value in USUAL_DAY.items():
        x[:, names.index(name)] = value
    x[:, names.index("weekday")] = np.arange(7)
    found = (
        predict_weights(model.kind, model, x) if isinstance(model, Weights) else predict(model, x)
    )
    profile = np.maximum(found, 0.05)
    return np.asarray(profile / profile.mean())


def with_stated_history(
    table: SalesTable,
    products: Mapping[str, Product],
    *,
    profile: Floats,
    open_weekdays: tuple[int, ...],
    today: pd.Timestamp,
    bakery: str,
) -> SalesTable:
    """Make up the days that young products lack.

    Parameters
    ----------
    table : SalesTable
        One bakery's sales up to today; may be without rows.
    products : mapping of str to Product
        The product list; those without sales are taken up where their size is known: stated, or
        the median of the like ones that are sold.
    profile : array of shape (7,)
        From `weekday_profile`.
    open_weekdays : tuple of int
        Weekdays on which the bakery is open, 0 is Monday.
    today : Timestamp
        Last day before the forecast.
    bakery : str
        Its name.

    Raises
    ------
    SettingsError
        There is neither a day of sales nor a stated size of any product.
    """
    rows = table.rows
    sold = {str(name): group for name, group in rows.groupby("product")}
    made = []
    for name in sorted({*sold, *products}):
        own = sold.get(name, rows.iloc[:0])
        missing = STATED_DAYS - len(own)
        stated = _stated_units(name, products, sold)
        if missing <= 0 or (own.empty and np.isnan(stated)):
            continue
        units = _expected_units(own, stated, profile)
        first = own["date"].min() if len(own) else today + pd.Timedelta(days=1)
        days = pd.date_range(end=first - pd.Timedelta(days=1), periods=7 * missing, freq="D")
        days = days[days.day_of_week.isin(open_weekdays)][-missing:]
        made.append(
            pd.DataFrame(
                {
                    "date": days,
                    "bakery": bakery,
                    "product": name,
                    "units": units
                    * profile[days.day_of_week]
                    / profile[list(open_weekdays)].mean(),
                }
            )
        )
    if not made and rows.empty:
        raise SettingsError(
            f"{bakery} has no sales yet; wanted a product list with the column expected_units, the "
            "units that each product is expected to sell a day"
        )
    parts = [part for part in (rows, *made) if len(part)]
    whole = pd.concat(parts, ignore_index=True)
    return SalesTable(whole.sort_values(["product", "date"], ignore_index=True))


def _stated_units(
    name: str, products: Mapping[str, Product], sold: Mapping[str, pd.DataFrame]
) -> float:
    """Units a day that were stated, or the median of the bakery's products of that category."""
    product = products.get(name)
    if product is None or not np.isnan(product.expected_units):
        return float("nan") if product is None else product.expected_units
    like = [
        float(sold[other.product]["units"].tail(LEVEL_DAYS).mean())
        for other in products.values()
        if product.category and other.category == product.category and other.product in sold
    ]
    return float(np.median(like)) if like else float("nan")


def _expected_units(own: pd.DataFrame, stated: float, profile: Floats) -> float:
    """Mean of what was sold on a usual weekday and what was stated, `PRIOR_DAYS` of it."""
    usual = (own["units"] / profile[own["date"].dt.day_of_week.to_numpy()]).to_numpy()
    if np.isnan(stated):
        return float(usual.mean())
    return float((usual.sum() + PRIOR_DAYS * stated) / (len(usual) + PRIOR_DAYS))
