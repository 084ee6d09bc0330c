"""A bake plan of one day at one bakery: as values, as a table, and as a page to print."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from glean.evaluation.pages.bake_plan_page import bake_page
from glean.forecasting.context import ForecastContext
from glean.forecasting.future_rows import day_to_plan
from glean.forecasting.plan import BakePlan, plan_day
from glean.forecasting.recursive_forecast import ForecastRow
from glean.languages.language import ENGLISH, Language
from glean.operations.planning.baked_products import ALL_PRODUCTS, BakedProducts
from glean.operations.planning.forecast import WEEK_DAYS, forecast_rows
from glean.operations.planning.known_future import UnknownInput, missing_inputs
from glean.operations.planning.plan_remarks import plan_remarks
from glean.sales.known_future import NOTHING_KNOWN, KnownFuture
from glean.sales.products import Product


@dataclass(frozen=True, eq=False)
class DayPlan:
    """A day's plan.

    Parameters
    ----------
    plan : BakePlan
        What to bake.
    table : DataFrame
        The same, a row a product.
    page : str
        The same as HTML, to print.
    unknown : tuple of UnknownInput
        What the forecast goes by and wasn't known.
    remarks : tuple of str
        What a baker should know of the sales behind it, from `plan_remarks`.
    rows : tuple of ForecastRow
        The forecast of that day behind it, with all quantiles.
    """

    plan: BakePlan
    table: pd.DataFrame
    page: str
    unknown: tuple[UnknownInput, ...]
    remarks: tuple[str, ...] = ()
    rows: tuple[ForecastRow, ...] = ()


def make_plan(
    context: ForecastContext,
    products: Mapping[str, Product],
    *,
    date: pd.Timestamp | None = None,
    known_future: KnownFuture = NOTHING_KNOWN,
    baked: BakedProducts = ALL_PRODUCTS,
    now: pd.Timestamp | None = None,
    language: Language = ENGLISH,
) -> DayPlan:
    """Plan a day.

    Parameters
    ----------
    context : ForecastContext
        From `make_context`.
    products : mapping of str to Product
        The product list, with prices, costs and batch sizes; may be empty.
    date : Timestamp, optional
        The day to bake for; by default the next on which the bakery is open.
    known_future : KnownFuture
        What the bakery knows of the days to come.
    baked : BakedProducts
        Which products the plan is for.
    now : Timestamp, optional
        Today by the clock, for a remark on sales that end before it.
    language : Language
        Of the page, the remarks, and the reasons in the table.

    Raises
    ------
    SalesError
        A name of the list of what is baked matches nothing.
    SettingsError
        The bakery is closed then, no product can be forecast, or the day is too far ahead.
    """
    today = context.today
    day = _day_to_plan(context, date, known_future)
    until = max(day, today + pd.Timedelta(days=WEEK_DAYS))
    rows = forecast_rows(context, until, asked=date, known_future=known_future)
    forecast = {row.product for row in rows if row.date == day}
    sold = list(context.sales.rows["product"].unique())
    rows, left_out = baked.of(rows, products, sold, language)
    plan = plan_day(rows, products, bakery=context.name, date=day, pieces=_pieces(context))
    remarks = (
        *plan_remarks(context, day, language, planned=forecast, known_future=known_future, now=now),
        *left_out,
    )
    page = bake_page(
        plan,
        language,
        units_label=context.units_label,
        known_until=today,
        remarks=remarks,
        groups={name: product.category for name, product in products.items()},
    )
    unknown = missing_inputs(context, known_future)
    of_day = tuple(row for row in rows if row.date == day)
    return DayPlan(plan, _table_of(plan, language), page, unknown, remarks, of_day)


def _day_to_plan(
    context: ForecastContext, asked: pd.Timestamp | None, known_future: KnownFuture
) -> pd.Timestamp:
    return day_to_plan(
        context.table,
        today=context.today,
        asked=asked,
        known_future=known_future,
        offers=context.offers_ahead,
    )


def _pieces(context: ForecastContext) -> frozenset[str]:
    """Products that are counted in pieces; new ones too, unless nothing else is."""
    sold_by_measure = len(context.sales.rows) > 0 and not context.pieces
    return context.pieces if sold_by_measure else context.pieces | context.unsold


def _table_of(plan: BakePlan, language: Language) -> pd.DataFrame:
    """Make the table; its columns and numbers are for programs, whatever the language."""
    return pd.DataFrame(
        {
            "date": f"{plan.date:%Y-%m-%d}",
            "product": line.product,
            "bake": line.bake,
            "expected": round(line.expected, 2),
            "likely_low": round(line.low, 2),
            "likely_high": round(line.high, 2),
            "critical_ratio": round(line.ratio, 4),
            "left_over": round(line.left_over, 2),
            "missed": round(line.missed, 2),
            "cost": round(line.cost, 2),
            "left_over_kg": round(line.left_over_kg, 3),
            "left_over_co2e_kg": round(line.left_over_co2e_kg, 3),
            "why": line.why(language),
        }
        for line in plan.products
    )
