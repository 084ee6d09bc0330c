"""`glean forecast` and `glean plan`: the coming days at one bakery, on its own machine, offline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glean.cli.coming import Coming
from glean.cli.data import day_of
from glean.cli.errors import friendly_errors
from glean.errors import SettingsError

if TYPE_CHECKING:
    import pandas as pd

    from glean.forecasting.context import ForecastContext
    from glean.forecasting.recursive_forecast import ForecastRow
    from glean.sales.known_future import KnownFuture
    from glean.sales.products import Product
    from glean.sales.table import SalesTable

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WEEK_DAYS = 7

Model = Annotated[
    Path, typer.Option(help="Run folder, like results/latest; a bakery's home; or a model file.")
]
Sales = Annotated[
    Path | None, typer.Option(help="The bakery's sales table; none: a bakery without sales yet.")
]
Bakery = Annotated[str, typer.Option(help="Which bakery of the table; its name without one.")]
Products = Annotated[
    Path | None, typer.Option(help="Product list: price, cost, batch_size, expected_units, ...")
]
Region = Annotated[str, typer.Option(help="Public holidays, like DE-SH; else the run's.")]
Open = Annotated[
    str, typer.Option("--open", help="Open weekdays of a bakery without sales, like tue,wed,sat.")
]


@friendly_errors()
def forecast(
    model: Model,
    sales: Sales = None,
    days: Annotated[int, typer.Option(min=1, max=28, help="Days ahead.")] = WEEK_DAYS,
    bakery: Bakery = "",
    products: Products = None,
    coming: Coming = None,
    region: Region = "",
    start: Annotated[str, typer.Option(help="First day, where there are no sales yet.")] = "",
    open_: Open = "",
    out: Annotated[
        Path, typer.Option(help="CSV: expected units and quantiles, a row a day and product.")
    ] = Path("forecast.csv"),
) -> None:
    """Forecast the coming days of one bakery, with likely ranges and reasons."""
    from glean.cli.coming import say_what_is_not_told, told_in
    from glean.cli.planned import forecast_frame, forecast_table, show

    opened, _ = _opened(model, sales, bakery, products, region, start, open_)
    import pandas as pd

    told = told_in(coming, opened)
    rows = _forecast(opened, opened.today + pd.Timedelta(days=days), told=told)
    out.write_text(forecast_frame(rows).to_csv(index=False, lineterminator="\n"), encoding="utf-8")
    show(forecast_table(rows, bakery=opened.name))
    typer.echo(f"{opened.own.selection.reason}\nforecast: {out.resolve()}")
    say_what_is_not_told(opened, told)


@friendly_errors()
def plan(
    model: Model,
    date: Annotated[str, typer.Option(help="Day to bake for, like 2026-12-24.")] = "",
    sales: Sales = None,
    bakery: Bakery = "",
    products: Products = None,
    coming: Coming = None,
    region: Region = "",
    open_: Open = "",
    out: Annotated[
        Path, typer.Option(help="Page to print; a CSV of the same name lies beside it.")
    ] = Path("bake-plan.html"),
) -> None:
    """Say how much to bake: a table, a CSV, and a page to print and pin up.

    Without --date: the next day on which the bakery is open.
    """
    from glean.cli.coming import say_what_is_not_told, told_in
    from glean.cli.planned import plan_frame, plan_table, show
    from glean.evaluation.pages.bake_plan_page import bake_page
    from glean.forecasting.future_rows import day_to_plan
    from glean.forecasting.plan import plan_day

    opened, listed = _opened(model, sales, bakery, products, region, date, open_)
    import pandas as pd

    told = told_in(coming, opened)
    asked = _day("--date", date)
    day = day_to_plan(opened.table, today=opened.today, asked=asked, told=told)
    until = max(day, opened.today + pd.Timedelta(days=WEEK_DAYS))
    rows = _forecast(opened, until, asked=asked, told=told)
    made = plan_day(rows, listed, bakery=opened.name, date=day, whole=opened.whole)
    foot = f"Sales known up to {opened.today.date()}."
    out.write_text(bake_page(made, units_label=opened.units_label, made_on=foot), encoding="utf-8")
    table = out.with_suffix(".csv")
    table.write_text(plan_frame(made).to_csv(index=False, lineterminator="\n"), encoding="utf-8")
    show(plan_table(made))
    typer.echo(f"to print: {out.resolve()}\nas a table: {table.resolve()}")
    say_what_is_not_told(opened, told)


def _opened(
    model: Path,
    sales: Path | None,
    bakery: str,
    products: Path | None,
    region: str,
    start: str,
    open_: str,
) -> tuple[ForecastContext, dict[str, Product]]:
    import pandas as pd

    from glean.forecasting.context import open_bakery
    from glean.sales.products import read_products

    table = _sales_of(sales, bakery)
    listed = dict(read_products(products)) if products else {}
    first = _day("--date", start)
    opened = open_bakery(
        model.resolve(),
        table,
        bakery=bakery or next(iter(table.bakeries), "bakery"),
        products=listed,
        region=region,
        today=None if len(table.rows) or first is None else first - pd.Timedelta(days=1),
        open_weekdays=_weekdays(open_),
    )
    return opened, listed


def _day(option: str, text: str) -> pd.Timestamp | None:
    import pandas as pd

    day = day_of(option, text)
    return None if day is None else pd.Timestamp(day)


def _sales_of(path: Path | None, bakery: str) -> SalesTable:
    import pandas as pd

    from glean.sales.reading.sales_file import read_sales
    from glean.sales.table import KEYS, SalesTable

    if path is None:
        empty = pd.DataFrame({"date": pd.Series([], dtype="datetime64[ns]")})
        return SalesTable(empty.assign(bakery="", product="", units=0.0)[[*KEYS, "units"]])
    table = read_sales(path)
    if bakery in table.bakeries:
        return table.of(bakery)
    if bakery or len(table.bakeries) > 1:
        raise SettingsError(
            f"--bakery: found {bakery!r}; {path} holds {', '.join(table.bakeries[:10])}"
        )
    return table


def _weekdays(text: str) -> tuple[int, ...]:
    names = [name.strip().lower()[:3] for name in text.split(",") if name.strip()]
    wrong = [name for name in names if name not in WEEKDAYS]
    if wrong:
        raise SettingsError(
            f"--open: found {', '.join(wrong)}; wanted some of {', '.join(WEEKDAYS)}"
        )
    return tuple(sorted(WEEKDAYS.index(name) for name in names)) or tuple(range(len(WEEKDAYS)))


def _forecast(
    opened: ForecastContext,
    until: pd.Timestamp,
    *,
    told: KnownFuture,
    asked: pd.Timestamp | None = None,
) -> list[ForecastRow]:
    from glean.forecasting.future_rows import with_future_rows
    from glean.forecasting.recursive_forecast import forecast_days

    table = with_future_rows(
        opened.table,
        today=opened.today,
        until=until,
        asked=() if asked is None else (asked,),
        told=told,
    )
    if len(table.rows) == len(opened.table.rows):
        raise SettingsError(f"the bakery is closed up to {until.date()}: wanted a day beyond that")
    rows = forecast_days(opened.own, table, opened.past, region=opened.region, unsold=opened.unsold)
    if not rows:
        raise SettingsError("no product can be forecast yet: list them in --products with a size")
    return rows
