"""Bake plans as a bakery's own page keeps them: plain values, in all languages at once.

For whoever asks from another process than the one that makes them, and does without pandas there:
what needs it is imported where it is used.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from glean.forecasting.context import ForecastContext
    from glean.forecasting.recursive_forecast import ForecastRow
    from glean.operations.shop.kept_weather import KeptWeather
    from glean.sales.firm_orders import FirmOrder
    from glean.sales.products import Product
    from glean.sales.table import SalesTable
    from glean.sales.told_day import ToldDay

WEATHER_LIMIT_S = 5.0
"""Seconds that a plan waits for the weather."""


@dataclass(frozen=True)
class ShopRequest:
    """What plans are asked for.

    Parameters
    ----------
    home : Path
        The bakery's home; without a model in it the plan goes by its own sales alone.
    sales : Path
        Its table.
    today : date
        By the shop's clock.
    days : int
        How many open days are planned, from the next one on.
    bakery : str
        Which bakery of the table; "" where it holds one.
    products, coming : Path or None
        Product list, and what is known of the days to come.
    region : str
        Region of the public holidays; "" takes the run's.
    baked : mapping of str to bool
        Product -> whether it is baked; one that isn't named is.
    least : float
        Products of which fewer units a day are expected are left out.
    settings : mapping of str to mapping
        Product -> what its owner says of it: `price`, `cost`, `category`, `shelf_life_days`,
        `service_level`; beats the product list.
    trays : mapping of str to mapping
        Product -> weekday (0 is Monday) -> `batch_size` and `minimum`.
    told : tuple of ToldDay
        What was entered of days to come.
    school_region : str
        Region whose school holidays count; "" for none.
    orders : tuple of FirmOrder
        What is ordered; of these the ones that the till counts are taken off the sales.
    weather_url : str
        Provider of the weather; "" asks nobody.
    place : tuple of (float, float) or None
        Latitude and longitude of the shop, for the weather.
    """

    home: Path
    sales: Path
    today: dt.date
    days: int = 2
    bakery: str = ""
    products: Path | None = None
    coming: Path | None = None
    region: str = ""
    baked: Mapping[str, bool] = field(default_factory=dict)
    least: float = 0.0
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    trays: Mapping[str, Mapping[int, Mapping[str, float]]] = field(default_factory=dict)
    told: tuple[ToldDay, ...] = ()
    school_region: str = ""
    orders: tuple[FirmOrder, ...] = ()
    weather_url: str = ""
    place: tuple[float, float] | None = None


def make_shop_plans(request: ShopRequest) -> dict[str, Any]:
    """Plan the next open days.

    Returns
    -------
    dict
        `plans`: a dict a day, as `docs/shop.md` lists them; `products`: all products of late, with
        `name`, `category`, `units` a day and `last`, the day of its last sale; `known_until`;
        `ahead`, from `days_ahead_values`.

    Raises
    ------
    GleanError
        As the readers and `make_plan` do.
    """
    from glean.operations.planning.bakery_context import read_bakery
    from glean.operations.planning.plan import make_plan
    from glean.operations.planning.plan_values import VERSION, plan_values, products_of_late
    from glean.operations.shop.days_ahead import days_ahead_values
    from glean.sales.firm_orders import walk_in_sales
    from glean.sales.school_holidays import with_school_holidays
    from glean.sales.weather_columns import with_weather

    weather = _weather(request)
    sales = with_weather(
        walk_in_sales(read_bakery(request.sales, request.bakery), request.orders),
        {day: (said.temperature_c, said.rain_mm) for day, said in weather.days.items()},
    )
    sales = with_school_holidays(sales, request.school_region)
    listed = _listed(request)
    context = _context(request, sales, listed)
    known_future = _known_future(request, context, weather)
    plans = []
    for day in _days(request, context, known_future):
        made = make_plan(
            context,
            _for_weekday(listed, request.trays, day.day_of_week),
            date=day,
            known_future=known_future,
            now=_timestamp(request.today),
        )
        kept = {row.product: row for row in made.rows if _is_baked(request, row)}
        plans.append(
            plan_values(
                context,
                made,
                kept,
                _for_weekday(listed, request.trays, day.day_of_week),
                known_future=known_future,
                now=_timestamp(request.today),
            )
        )
    return {
        "version": VERSION,
        "known_until": f"{context.today:%Y-%m-%d}",
        "plans": plans,
        "products": products_of_late(sales, listed),
        "ahead": days_ahead_values(context, weather, today=request.today),
    }


def _timestamp(day: dt.date) -> pd.Timestamp:
    import pandas as pd

    return pd.Timestamp(day)


def _context(
    request: ShopRequest, sales: SalesTable, listed: Mapping[str, Product]
) -> ForecastContext:
    from glean.forecasting.context import context_of, with_client_model
    from glean.forecasting.level_model import level_source
    from glean.operations.planning.bakery_context import NO_NAME, make_context
    from glean.runs.model_card import MODEL_NAMES

    if any((request.home / name).is_file() for name in MODEL_NAMES):
        return make_context(
            request.home, sales, products=listed, bakery=request.bakery, region=request.region
        )
    bakery = request.bakery or next(iter(sales.bakeries), NO_NAME)
    source = level_source(sales.rows)
    return with_client_model(
        context_of(source, sales, bakery=bakery, products=listed, region=request.region)
    )


def _listed(request: ShopRequest) -> dict[str, Product]:
    """Read the product list, and put on top what the owner said on the page."""
    from dataclasses import replace

    from glean.sales.products import Product, read_products

    listed = dict(read_products(request.products)) if request.products else {}
    for name, said in request.settings.items():
        listed[name] = replace(listed.get(name, Product(name)), **said)
    return listed


def _for_weekday(
    listed: Mapping[str, Product], trays: Mapping[str, Mapping[int, Any]], weekday: int
) -> dict[str, Product]:
    from dataclasses import replace

    from glean.sales.products import Product

    found = dict(listed)
    for name, by_weekday in trays.items():
        if said := by_weekday.get(weekday):
            found[name] = replace(found.get(name, Product(name)), **said)
    return found


def _weather(request: ShopRequest) -> KeptWeather:
    """Ask for the weather, if that is wanted; nothing is known where it isn't."""
    from glean.operations.shop.kept_weather import KeptWeather, current_weather
    from glean.outgoing.weather import Place, fetch_weather, provider

    if not request.weather_url or request.place is None:
        return KeptWeather(Place.of(0.0, 0.0))
    address, place = provider(request.weather_url), Place.of(*request.place)
    return current_weather(
        request.home / "shop",
        place,
        lambda there: fetch_weather(address, there, limit_s=WEATHER_LIMIT_S),
        now=dt.datetime.now(dt.UTC),
    )


def _known_future(request: ShopRequest, context: ForecastContext, weather: KeptWeather) -> Any:
    from glean.forecasting.future_rows import days_ahead
    from glean.operations.planning.known_future import read_known_future
    from glean.operations.shop.shop_future import known_future_of, school_days
    from glean.sales.known_future import NOTHING_KNOWN

    file = NOTHING_KNOWN if request.coming is None else read_known_future(request.coming, context)
    days = days_ahead(context.today)
    return known_future_of(
        # What people say of a day comes later, and counts.
        (*school_days(request.school_region, days), *request.told),
        weather.days,
        days=days,
        products=context.table.rows["product"].unique(),
        also=file,
    )


def _days(request: ShopRequest, context: ForecastContext, known_future: Any) -> list[pd.Timestamp]:
    """Find the open days to plan: from today on by the clock, or from the last sale on."""
    import pandas as pd

    from glean.forecasting.future_rows import days_ahead, with_future_rows

    ahead = days_ahead(context.today)
    rows = with_future_rows(
        context.table,
        today=context.today,
        until=ahead[-1],
        known_future=known_future,
        offers=context.offers_ahead,
    ).rows
    days = sorted(pd.Timestamp(day) for day in rows.loc[rows["units"].isna(), "date"].unique())
    now = _timestamp(request.today)
    # A table that ends long ago is planned from its end on; the page says that it is old.
    return ([day for day in days if day >= now] or days)[: request.days]


def _is_baked(request: ShopRequest, row: ForecastRow) -> bool:
    return request.baked.get(row.product, True) and row.units >= request.least
