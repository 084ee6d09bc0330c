"""A bakery's forecast of future days: units, quantiles and reasons, a row a day and product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glean.features.calendar import day_numbers
from glean.features.matrix import FeatureMatrix, build_features, stack
from glean.forecasting.adaptive_conformal import adapted_intervals
from glean.forecasting.calibration import Calibration
from glean.forecasting.client_model import ClientModel
from glean.forecasting.cold_start import USUAL_DAY, weekday_profile
from glean.forecasting.drivers import Driver, drivers, group_of
from glean.forecasting.residuals import Residuals
from glean.forecasting.rolling_origin import near_holiday
from glean.metrics import Floats
from glean.sales.standing_orders import standing_orders
from glean.sales.table import SalesTable

LEVELS = np.round(np.arange(0.01, 0.995, 0.01), 2)
"""Levels of the quantiles that a forecast has."""

LOOK_BACK_DAYS = 990
"""Days of sales that the features of a future day reach back to: to the same named day two years
ago, and half a year of same weekdays before that."""

USUAL_ROWS = 500

STANDING = pd.Timedelta(days=28)
"""Beyond so many days after the last sale no order is taken to stand: a pause lies between."""

UNSOLD_GROUPS = ("weekday", "promotion", "holiday")
"""Drivers of a product that was never sold; its forecast goes by nothing else."""

WIDER_A_DAY = 0.005
"""How much wider ranges get with every day beyond the first. On the validation windows of
synthetic-40 absolute errors of days 2 to 7 were 0 to 5% above those of the same days forecast the
day before, on those of restaurants-100 from 2% below to 5% above."""


@dataclass(frozen=True)
class ForecastRow:
    """One product on one future day.

    Parameters
    ----------
    date : Timestamp
        The day.
    product : str
        The product.
    units : float
        Units expected to be asked for.
    quantiles : array of shape (99,)
        Units of demand at `LEVELS`.
    drivers : tuple of Driver
        What moves the forecast, the strongest first.
    """

    date: pd.Timestamp
    product: str
    units: float
    quantiles: Floats
    drivers: tuple[Driver, ...]

    def between(self, low: float, high: float) -> tuple[float, float]:
        """Quantiles at two levels, units."""
        first, second = self.at((low, high))
        return first, second

    def at(self, levels: Sequence[float]) -> list[float]:
        """Quantiles at levels, units; beyond `LEVELS` those at their ends."""
        found: list[float] = np.interp(levels, LEVELS, self.quantiles).tolist()
        return found


@dataclass(frozen=True, eq=False)
class _Forecasts:
    """Rows that were forecast, n of them, and what they are compared with.

    Parameters
    ----------
    features : FeatureMatrix
        Features of the n rows, by day.
    units : array of shape (n,)
        Their forecasts.
    past : FeatureMatrix
        The days before the first of them.
    """

    features: FeatureMatrix
    units: Floats
    past: FeatureMatrix


def forecast_days(
    client_model: ClientModel,
    table: SalesTable,
    residuals: Residuals,
    *,
    region: str,
    unsold: frozenset[str] = frozenset(),
) -> list[ForecastRow]:
    """Forecast all rows of a table that have no units yet.

    A day is forecast from those before it; where these are still to come, their own forecasts
    stand in for what will be sold.

    Parameters
    ----------
    client_model : ClientModel
        What the bakery forecasts from.
    table : SalesTable
        One bakery's sales and future days (see `with_future_rows`).
    residuals : Residuals
        Errors of the chosen forecast so far.
    region : str
        Region of the public holidays, "" for none.
    unsold : frozenset of str
        Products whose past days are all made up (see `with_cold_start`). Their size by the
        weekday profile is the forecast: the model would count the profile twice, and measured a
        little worse (`python -m benchmarks.cold_start`). A promotion and a holiday move it as they
        move the model. The weather doesn't: no past day says what is usual.

    Returns
    -------
    list of ForecastRow
        By day, then product; products without a level yet are left out. A standing order is what it
        was, for sure.
    """
    today = pd.Timestamp(table.rows.loc[table.rows["units"].notna(), "date"].max())
    made = _forecast_recursively(client_model, table, today, region=region, unsold=unsold)
    if made is None:
        return []
    quantiles = _quantiles(made, residuals, client_model.prior, today)
    reasons = _reasons(client_model, made, unsold)
    ordered = _ordered(made.features, table, unsold, until=today + STANDING)
    forecast = np.isnan(ordered)
    units = np.where(forecast, made.units, ordered)
    quantiles = np.where(forecast[:, None], quantiles, ordered[:, None])
    reasons = [named if open_ else () for named, open_ in zip(reasons, forecast, strict=True)]
    return [
        ForecastRow(pd.Timestamp(date), product, *row)
        for date, product, *row in zip(
            made.features.keys["date"],
            made.features.keys["product"],
            units.tolist(),
            quantiles,
            reasons,
            strict=True,
        )
    ]


def _forecast_recursively(
    client_model: ClientModel,
    table: SalesTable,
    today: pd.Timestamp,
    *,
    region: str,
    unsold: frozenset[str],
) -> _Forecasts | None:
    """Forecast day after day, each from those before it; None where no day is to come."""
    rows = table.rows
    rows = rows[rows["date"] > today - pd.Timedelta(days=LOOK_BACK_DAYS)].reset_index(drop=True)
    future = rows["units"].isna() & (rows["date"] > today)
    definition = client_model.shared.definition
    past: FeatureMatrix | None = None
    made: list[tuple[FeatureMatrix, Floats]] = []
    for day in pd.DatetimeIndex(rows.loc[future, "date"].unique()).sort_values():
        # Later days stay in: what is known of them (a holiday) is known before they come.
        features = build_features(SalesTable(rows), definition, region=region)
        past = past or features.between(end=day)
        features = features.between(day, day + pd.Timedelta(days=1))
        units = _units(client_model, features, unsold)
        made.append((features, units))
        _fill_in(rows, features, units)
    if past is None:
        return None
    return _Forecasts(
        stack([features for features, _ in made]),
        np.concatenate([units for _, units in made]),
        past,
    )


def _ordered(
    features: FeatureMatrix, table: SalesTable, unsold: frozenset[str], *, until: pd.Timestamp
) -> Floats:
    """Units of standing orders, shape (n,); NaN for the other rows. Made-up days make none."""
    orders = {} if (features.keys["date"] > until).all() else standing_orders(table)
    return np.array(
        [
            np.nan if product in unsold else orders.get(product, {}).get(day.day_of_week, np.nan)
            for product, day in zip(features.keys["product"], features.keys["date"], strict=True)
        ]
    )


def _quantiles(
    made: _Forecasts, residuals: Residuals, prior: Calibration | None, today: pd.Timestamp
) -> Floats:
    first = int(day_numbers(pd.Series([today]))[0]) + 1
    calibration = adapted_intervals(residuals, [first], horizon_days=1, prior=prior)[first]
    days = day_numbers(made.features.keys["date"])
    products = made.features.keys["product"].to_numpy(dtype=object)
    near = near_holiday(made.features)
    quantiles = calibration.quantiles(made.units, days, LEVELS, near, products)
    return _widened(quantiles, made.units, days - first)


def _reasons(
    client_model: ClientModel, made: _Forecasts, unsold: frozenset[str]
) -> list[tuple[Driver, ...]]:
    found = drivers(made.features, client_model.mixture(), usual=_last_rows(made.past))
    return [
        tuple(d for d in named if product not in unsold or d.group in UNSOLD_GROUPS)
        for named, product in zip(found, made.features.keys["product"], strict=True)
    ]


def _widened(quantiles: Floats, units: Floats, further: NDArray[np.int64]) -> Floats:
    """Spread quantiles around their forecasts, the more the further ahead; never below zero."""
    factor = 1 + WIDER_A_DAY * further
    spread = (quantiles - units[:, None]) * factor[:, None]
    return np.asarray(np.maximum(units[:, None] + spread, 0.0))


def _last_rows(features: FeatureMatrix) -> FeatureMatrix:
    """Keep the last year, at most `USUAL_ROWS` rows of it evenly spread: enough to compare with."""
    step = max(len(features) // USUAL_ROWS, 1)
    return features.rows(np.arange(len(features)) % step == 0)


def _units(client_model: ClientModel, features: FeatureMatrix, unsold: frozenset[str]) -> Floats:
    units = client_model.forecasts(features)["chosen"]
    cold_start = features.keys["product"].isin(list(unsold)).to_numpy()
    if cold_start.any():
        weekdays = features.keys["date"].dt.day_of_week.to_numpy()
        profile = weekday_profile(client_model.shared)[weekdays]
        usual = client_model.forecasts(on_usual_days(features))["chosen"]
        moved = np.divide(units, usual, out=np.ones_like(units), where=usual > 0)
        units = np.where(cold_start, features.mean_28 * profile * moved, units)
    return units


def on_usual_days(features: FeatureMatrix) -> FeatureMatrix:
    """Take promotions and holidays off the rows, as `weekday_profile` is of days without.

    Parameters
    ----------
    features : FeatureMatrix
        n rows.

    Returns
    -------
    FeatureMatrix
        The same rows; what wasn't known of them stays unknown.
    """
    x = features.x.copy()
    for place, name in enumerate(features.definition.names):
        if group_of(name) in ("promotion", "holiday"):
            usual = USUAL_DAY.get(name, np.nan)  # an ordinary day has no special ratio
            x[:, place] = np.where(np.isnan(x[:, place]), np.nan, usual)
    return replace(features, x=x)


def _fill_in(rows: pd.DataFrame, features: FeatureMatrix, units: Floats) -> None:
    made = pd.Series(units, index=pd.MultiIndex.from_frame(features.keys[["product", "date"]]))
    keys = pd.MultiIndex.from_frame(rows[["product", "date"]])
    filled = made.reindex(keys).to_numpy()
    rows["units"] = np.where(np.isnan(filled), rows["units"], filled)
