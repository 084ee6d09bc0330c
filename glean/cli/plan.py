"""`glean forecast` and `glean plan`: the coming days at one bakery, on its own machine, offline."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glean.cli.coming import Coming
from glean.cli.errors import friendly_errors
from glean.cli.typed_days import day_of, weekdays_of
from glean.cli.typed_language import LanguageOption, language_of
from glean.errors import SettingsError
from glean.regular_files import absolute_path

if TYPE_CHECKING:
    import pandas as pd

    from glean.forecasting.context import ForecastContext
    from glean.languages.language import Language
    from glean.sales.known_future import KnownFuture
    from glean.sales.products import Product

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

Key = Annotated[
    Path | None,
    typer.Option(
        "--model-key",
        metavar="FILE",
        help="The operator's model-key.pub: the model must be signed by it.",
    ),
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
    model_key: Key = None,
    out: Annotated[
        Path, typer.Option(help="CSV: expected units and quantiles, a row a day and product.")
    ] = Path("forecast.csv"),
    language: LanguageOption = "en",
) -> None:
    """Forecast the coming days of one bakery, with likely ranges and reasons."""
    from glean.cli.coming import say_what_is_unknown
    from glean.cli.planned import forecast_table, show
    from glean.operations.output_files import check_outputs, write_outputs
    from glean.operations.planning.forecast import make_forecast
    from glean.runs.spreadsheet_cells import to_spreadsheet_csv

    check_outputs(out)
    speaks = language_of(language)
    context, _ = _context(model, sales, bakery, products, region, start, open_, model_key, speaks)
    known_future = _known_future(coming, context)
    made = make_forecast(context, days=days, known_future=known_future, language=speaks)
    write_outputs({out: to_spreadsheet_csv(made.table)})
    show(forecast_table(made.rows, speaks, bakery=context.name))
    typer.echo(context.client_model.selection.reason(speaks))
    typer.echo(speaks.translate("forecast: {path}", path=absolute_path(out)))
    say_what_is_unknown(made.unknown, speaks)


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
    model_key: Key = None,
    only: Annotated[
        Path | None, typer.Option(help="List of the products or categories baked, one a line.")
    ] = None,
    min_units_a_day: Annotated[
        float, typer.Option(help="Leave out products of which fewer are expected a day.")
    ] = 0.0,
    out: Annotated[
        Path, typer.Option(help="Page to print; a CSV of the same name lies beside it.")
    ] = Path("bake-plan.html"),
    language: LanguageOption = "en",
) -> None:
    """Say how much to bake: a table, a CSV, and a page to print and pin up.

    Without --date: the next day on which the bakery is open.
    """
    import pandas as pd

    from glean.cli.coming import say_what_is_unknown
    from glean.cli.planned import plan_table, show
    from glean.operations.output_files import write_outputs
    from glean.operations.planning.baked_products import BakedProducts
    from glean.operations.planning.plan import make_plan
    from glean.runs.spreadsheet_cells import to_spreadsheet_csv
    from glean.sales.product_choice import read_only_these

    table = _table_beside(out, sales)
    speaks = language_of(language)
    context, listed = _context(
        model, sales, bakery, products, region, date, open_, model_key, speaks
    )
    day = _day("--date", date)
    known_future = _known_future(coming, context, asked=day)
    now = None if day else pd.Timestamp(dt.datetime.now(dt.UTC).astimezone().date())
    baked = BakedProducts(read_only_these(only) if only else None, min_units_a_day)
    made = make_plan(
        context,
        listed,
        date=day,
        known_future=known_future,
        baked=baked,
        now=now,
        language=speaks,
    )
    write_outputs({out: made.page, table: to_spreadsheet_csv(made.table)})
    for remark in made.remarks:
        typer.echo(remark)
    show(plan_table(made.plan, speaks))
    typer.echo(speaks.translate("to print: {path}", path=absolute_path(out)))
    typer.echo(speaks.translate("as a table: {path}", path=absolute_path(table)))
    say_what_is_unknown(made.unknown, speaks)


def _table_beside(page: Path, sales: Path | None) -> Path:
    """Name the table beside a page; refuses early what can't be written."""
    from glean.operations.output_files import check_outputs

    check_outputs(page)
    table = page.with_suffix(".csv")
    if table == page:
        raise SettingsError(
            f"--out: found {page}; wanted a page like bake-plan.html, not its table"
        )
    if sales is not None and table.exists() and table.samefile(sales):
        raise SettingsError(
            f"--out: found {page}, whose table would take the place of the sales in {table}; "
            "wanted another name"
        )
    check_outputs(table)
    return table


def _context(
    model: Path,
    sales: Path | None,
    bakery: str,
    products: Path | None,
    region: str,
    start: str,
    open_: str,
    model_key: Path | None,
    speaks: Language,
) -> tuple[ForecastContext, Mapping[str, Product]]:
    from glean.cli.product_list import say_what_is_unsold
    from glean.operations.planning.bakery_context import make_context, no_sales, read_bakery
    from glean.sales.products import read_products

    table = no_sales() if sales is None else read_bakery(sales, bakery)
    listed = read_products(products) if products else {}
    if products and sales is not None:
        say_what_is_unsold(products, listed, table.rows["product"].unique(), speaks)
    context = make_context(
        model,
        table,
        bakery=bakery,
        products=listed,
        region=region,
        first_day=_day("--date", start),
        open_weekdays=weekdays_of(open_),
        model_key=model_key,
    )
    return context, listed


def _known_future(
    path: Path | None, context: ForecastContext, *, asked: pd.Timestamp | None = None
) -> KnownFuture:
    from glean.operations.planning.known_future import read_known_future
    from glean.sales.known_future import NOTHING_KNOWN

    return NOTHING_KNOWN if path is None else read_known_future(path, context, asked=asked)


def _day(option: str, text: str) -> pd.Timestamp | None:
    import pandas as pd

    day = day_of(option, text)
    return None if day is None else pd.Timestamp(day)
