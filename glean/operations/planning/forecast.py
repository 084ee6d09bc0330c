"""A forecast of one bakery's days to come: a table of units and quantiles, with reasons."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from glean.errors import SettingsError
from glean.features.definition import LEVEL_DAYS
from glean.forecasting.cold_start import weekday_profile, with_returning
from glean.forecasting.context import ForecastContext
from glean.forecasting.future_rows import with_future_rows
from glean.forecasting.recursive_forecast import ForecastRow, forecast_days
from glean.languages.language import ENGLISH, Language
from glean.operations.planning.known_future import UnknownInput, missing_inputs
from glean.sales.known_future import NOTHING_KNOWN, KnownFuture
from glean.sales.table import SalesTable

WEEK_DAYS = 7

SEASON_DAYS = 14
"""Days from today on, a year ago, that say how much is sold of a product that comes back."""

QUANTILES = (0.025, 0.1, 0.25, 0.5, 0.75, 0.8, 0.9, 0.95, 0.975)
"""Quantiles in the table."""


@dataclass(frozen=True, eq=False)
class Forecast:
    """A forecast.

    Parameters
    ----------
    rows : tuple of ForecastRow
        By day, then product.
    table : DataFrame
        The same as columns `date`, `product`, `expected`, quantiles like `q_0.9`, `why`.
    unknown : tuple of UnknownInput
        What it goes by and wasn't known.
    """

    rows: tuple[ForecastRow, ...]
    table: pd.DataFrame
    unknown: tuple[UnknownInput, ...]


def make_forecast(
    context: ForecastContext,
    *,
    days: int = WEEK_DAYS,
    known_future: KnownFuture = NOTHING_KNOWN,
    language: Language = ENGLISH,
) -> Forecast:
    """Forecast the days after the last sale.

    Parameters
    ----------
    context : ForecastContext
        From `make_context`.
    days : int
        How many days ahead, 1 to 28; closed ones count.
    known_future : KnownFuture
        What the bakery knows of these days.
    language : Language
        Of the reasons in the table.

    Raises
    ------
    SettingsError
        The bakery is closed on all of them, no product can be forecast, or they are too many.
    """
    until = context.today + pd.Timedelta(days=days)
    rows = forecast_rows(context, until, known_future=known_future)
    return Forecast(tuple(rows), _table_of(rows, language), missing_inputs(context, known_future))


def forecast_rows(
    context: ForecastContext,
    until: pd.Timestamp,
    *,
    known_future: KnownFuture,
    asked: pd.Timestamp | None = None,
) -> list[ForecastRow]:
    """Forecast the days up to one.

    Parameters
    ----------
    context, known_future
        As in `make_forecast`.
    until : Timestamp
        The last day.
    asked : Timestamp, optional
        A day that counts as open whatever its weekday.

    Raises
    ------
    SettingsError
        As in `make_forecast`.
    """
    back = returning_products(context, known_future)
    table = with_future_rows(
        _with_returning(context, back),
        today=context.today,
        until=until,
        asked=() if asked is None else (asked,),
        known_future=known_future,
        offers=None if back else context.offers_ahead,
    )
    if not table.rows["units"].isna().any():
        raise SettingsError(f"the bakery is closed up to {until.date()}: wanted a day beyond that")
    rows = forecast_days(
        context.client_model,
        table,
        context.residuals,
        region=context.region,
        unsold=context.unsold | back.keys(),
    )
    if not rows:
        raise SettingsError("no product can be forecast yet: list them in --products with a size")
    return rows


def returning_products(context: ForecastContext, known_future: KnownFuture) -> Mapping[str, float]:
    """Find products that weren't sold of late and are told as on offer again.

    Returns
    -------
    mapping of str to float
        Product -> units a day that are expected of it: those of the product list, or what it sold
        a day at the same time last year, or else on its last days.
    """
    rows = context.sales.rows
    of_late = rows.groupby("product")["units"].apply(lambda units: units.tail(LEVEL_DAYS).sum())
    back = [
        offer.product
        for offer in context.offers
        if offer.product in known_future.offered and (offer.dropped or of_late[offer.product] <= 0)
    ]
    return {
        name: _expected_units(context, rows[(rows["product"] == name) & (rows["units"] > 0)])
        for name in back
    }


def _expected_units(context: ForecastContext, sold: pd.DataFrame) -> float:
    listed = context.products.get(str(sold["product"].iloc[0]))
    if listed is not None and not math.isnan(listed.expected_units):
        return listed.expected_units
    last_year = sold["date"].sub(context.today - pd.DateOffset(years=1)).dt.days
    season = sold[last_year.between(0, SEASON_DAYS)]
    return float((season if len(season) else sold.tail(SEASON_DAYS))["units"].mean())


def _with_returning(context: ForecastContext, back: Mapping[str, float]) -> SalesTable:
    if not back:
        return context.table
    seen = context.sales.rows["date"].dt.day_of_week.unique()
    return with_returning(
        context.table,
        back,
        profile=weekday_profile(context.source.shared),
        open_weekdays=tuple(sorted(seen.tolist())),
        today=context.today,
    )


def _table_of(rows: Sequence[ForecastRow], language: Language) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "date": f"{row.date:%Y-%m-%d}",
            "product": row.product,
            "expected": round(row.units, 3),
            **{
                f"q_{level:g}": round(value, 3)
                for level, value in zip(QUANTILES, row.at(QUANTILES), strict=True)
            },
            "why": "; ".join(driver.in_numbers(language) for driver in row.drivers),
        }
        for row in rows
    )
