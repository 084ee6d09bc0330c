"""Cold start: products with few days of sales or none, forecast from the units expected of them.

A product without a level can't be forecast. In come the sales there are and a product list that
says how many units the bakery expects; out comes a table in which the missing days before the first
sale are made up: the expected units, by the weekday profile that the federation's model has for a
product it knows nothing of. Days that were sold move the expectation, and from `COLD_START_DAYS`
real days on nothing is made up.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from glean.errors import SettingsError
from glean.features.definition import HOLIDAY_REACH_DAYS, LEVEL_DAYS
from glean.forecasting.forecast_model import ForecastModel
from glean.metrics import Floats
from glean.sales.products import Product
from glean.sales.table import KEYS, SalesTable

COLD_START_DAYS = LEVEL_DAYS
"""Trading days that a product has once nothing is made up."""

PRIOR_DAYS = 3.0
"""Days of real sales that weigh as much as the expected units: owners know their size to about a
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


def weekday_profile(model: ForecastModel) -> Floats:
    """Ask the federation's model what it expects of each weekday where nothing was sold yet.

    Parameters
    ----------
    model : ForecastModel
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
    profile = np.maximum(model.relative(x), 0.05)
    return np.asarray(profile / profile.mean())


def with_cold_start(
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
        The product list; those without sales are taken up where their size is known: their
        `expected_units`, or the median of the like ones that are sold.
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
        There is neither a day of sales nor an expected size of any product.
    """
    rows = table.rows
    sold = {str(name): group for name, group in rows.groupby("product")}
    parts = [rows] if len(rows) else []
    for name in sorted({*sold, *products}):
        history = sold.get(name, rows.iloc[:0])
        expected_units = _expected_units(name, products, sold)
        if len(history) >= COLD_START_DAYS or (history.empty and np.isnan(expected_units)):
            continue
        days = _missing_days(history, open_weekdays, today)
        usual_units = _usual_units(history, expected_units, profile)
        shape = profile[days.day_of_week] / profile[list(open_weekdays)].mean()
        made_up = {"date": days, "bakery": bakery, "product": name, "units": usual_units * shape}
        parts.append(pd.DataFrame(made_up))
    if not parts:
        raise SettingsError(
            f"{bakery} has no sales yet; wanted a product list with the column expected_units, the "
            "units that each product is expected to sell a day"
        )
    if len(rows) and len(parts) == 1:
        return table
    whole = pd.concat([part for part in parts if len(part)], ignore_index=True)
    return SalesTable(whole.sort_values(["product", "date"], ignore_index=True))


def with_returning(
    table: SalesTable,
    units: Mapping[str, float],
    *,
    profile: Floats,
    open_weekdays: tuple[int, ...],
    today: pd.Timestamp,
) -> SalesTable:
    """Make up the days before today of products that come back, a season's for example.

    Parameters
    ----------
    table, profile, open_weekdays, today
        As in `with_cold_start`.
    units : mapping of str to float
        Product -> units a day that are expected of it.
    """
    rows, parts = table.rows, [table.rows]
    days = pd.date_range(end=today, periods=7 * COLD_START_DAYS, freq="D")
    days = days[days.day_of_week.isin(open_weekdays)][-COLD_START_DAYS:]
    shape = profile[days.day_of_week] / profile[list(open_weekdays)].mean()
    for name, expected in units.items():
        made_up = {"date": days, "bakery": rows["bakery"].iloc[0], "product": name}
        parts.append(pd.DataFrame(made_up | {"units": expected * shape}))
    whole = pd.concat(parts, ignore_index=True)
    # A row of zero that the table has for such a day gives way.
    whole = whole.drop_duplicates([*KEYS], keep="last")
    return SalesTable(whole.sort_values(["product", "date"], ignore_index=True))


def _missing_days(
    history: pd.DataFrame, open_weekdays: tuple[int, ...], today: pd.Timestamp
) -> pd.DatetimeIndex:
    """List the open days before a product's first sale that it lacks of `COLD_START_DAYS`."""
    missing = COLD_START_DAYS - len(history)
    first = history["date"].min() if len(history) else today + pd.Timedelta(days=1)
    days = pd.date_range(end=first - pd.Timedelta(days=1), periods=7 * missing, freq="D")
    return days[days.day_of_week.isin(open_weekdays)][-missing:]


def _expected_units(
    name: str, products: Mapping[str, Product], sold: Mapping[str, pd.DataFrame]
) -> float:
    """Units a day of the product list, or the median of the bakery's products of that category."""
    product = products.get(name)
    if product is None or not np.isnan(product.expected_units):
        return float("nan") if product is None else product.expected_units
    like = [
        float(sold[other.product]["units"].tail(LEVEL_DAYS).mean())
        for other in products.values()
        if product.category and other.category == product.category and other.product in sold
    ]
    return float(np.median(like)) if like else float("nan")


def _usual_units(history: pd.DataFrame, expected_units: float, profile: Floats) -> float:
    """Mean of what was sold on a usual weekday and what is expected, `PRIOR_DAYS` of it."""
    usual = (history["units"] / profile[history["date"].dt.day_of_week.to_numpy()]).to_numpy()
    if np.isnan(expected_units):
        return float(usual.mean())
    return float((usual.sum() + PRIOR_DAYS * expected_units) / (len(usual) + PRIOR_DAYS))
