"""The check of a sales table in the terminal: tables first, then remarks in plain words."""

from __future__ import annotations

import math

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from glean.languages.catalogues import translatable
from glean.languages.language import ENGLISH, Language
from glean.operations.tables.remark_words import weekdays_off
from glean.operations.tables.table_check import TableCheck
from glean.sales.quality.health import BakeryHealth, ProductHealth, Report

Cells = dict[str, list[str]]
"""Heading, in English -> the texts below it."""

BAKERY = translatable("bakery")
PRODUCT = translatable("product")
CLOSED_ON = translatable("closed on")
FIRST_DAY = translatable("first day")
LAST_DAY = translatable("last day")
TRADING_DAYS = translatable("trading\ndays")
MISSING_DAYS = translatable("missing\ndays")
GAPS = translatable("gaps")
DAYS = translatable("days")
UNITS_A_DAY = translatable("units\na day")
RETURNS = translatable("re-\nturns")
OUTLIERS = translatable("out-\nliers")
SOLD_OUT = translatable("sold\nout")

TEXTS = (BAKERY, PRODUCT, CLOSED_ON)
"""Headings of columns that may wrap; the others are numbers and days."""

NAMES_WIDTH = 14
"""Characters that the names of a line get, all together, before numbers give way."""

MOST_BAKERIES = 10
MOST_PRODUCTS = 25


def print_check(
    check: TableCheck, language: Language = ENGLISH, console: Console | None = None
) -> None:
    """Print a check; long tables show what needs a look first and count the rest."""
    console = console or Console(highlight=False)
    report = check.report
    if report.bakeries:
        console.print(bakery_table(report, language))
        console.print(product_table(report, language))
    for remark in check.remarks:
        console.print(f"- {remark}", markup=False, soft_wrap=True)
    for problem in report.problems:
        console.print(str(problem), markup=False, soft_wrap=True)
    verdict = " ".join(filter(None, [check.verdict, check.next_step]))
    console.print(verdict, markup=False, soft_wrap=True)


def bakery_table(report: Report, language: Language) -> Table:
    """Span and days per bakery; of many, those that need a look."""
    bakeries = sorted(report.bakeries, key=lambda bakery: -_worry(bakery))[:MOST_BAKERIES]
    cells: Cells = {
        BAKERY: [bakery.bakery for bakery in bakeries],
        FIRST_DAY: [str(bakery.opening.first) for bakery in bakeries],
        LAST_DAY: [str(bakery.opening.last) for bakery in bakeries],
        TRADING_DAYS: [language.number(bakery.opening.trading_days) for bakery in bakeries],
        MISSING_DAYS: [language.number(bakery.opening.missing_days) for bakery in bakeries],
        GAPS: [str(len(bakery.opening.gaps)) for bakery in bakeries],
        CLOSED_ON: [weekdays_off(bakery.opening, language) or "-" for bakery in bakeries],
    }
    return _table(_bakeries_shown(len(bakeries), len(report.bakeries), language), cells, language)


def product_table(report: Report, language: Language) -> Table:
    """Span, days and size per product; of many, those that need a look."""
    every = [(bakery.bakery, product) for bakery in report.bakeries for product in bakery.products]
    shown = every if len(every) <= MOST_PRODUCTS else sorted(every, key=lambda at: -_oddity(at[1]))
    shown = shown[:MOST_PRODUCTS]
    products = [product for _, product in shown]
    cells: Cells = {BAKERY: [bakery for bakery, _ in shown]} if len(report.bakeries) > 1 else {}
    cells |= {
        PRODUCT: [product.product for product in products],
        FIRST_DAY: [str(product.opening.first) for product in products],
        LAST_DAY: [str(product.opening.last) for product in products],
        DAYS: [language.number(product.opening.trading_days) for product in products],
        UNITS_A_DAY: [language.number(product.mean_units, 1) for product in products],
    }
    if any(product.returns for product in products):
        cells[RETURNS] = [str(product.returns) for product in products]
    if any(product.opening.pauses for product in products):
        cells[GAPS] = [str(len(product.opening.pauses)) for product in products]
    cells[OUTLIERS] = [str(len(product.outliers)) for product in products]
    if not all(math.isnan(product.sold_out_share) for product in products):
        cells[SOLD_OUT] = [language.percent(product.sold_out_share, 0) for product in products]
    return _table(_products_shown(len(shown), len(every), language), cells, language)


def _table(title: str, cells: Cells, language: Language) -> Table:
    table = Table(title=title or None, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    name_width = NAMES_WIDTH // len([heading for heading in cells if heading in TEXTS])
    for heading, column in cells.items():
        said = language.gettext(heading)
        if heading in TEXTS:
            wide = min(max(map(len, column)), name_width)
            table.add_column(said, min_width=wide, overflow="fold")
        else:
            table.add_column(said, justify="right", no_wrap=True)
    for row in zip(*cells.values(), strict=True):
        table.add_row(*(escape(text) for text in row))
    return table


def _bakeries_shown(shown: int, total: int, language: Language) -> str:
    if shown == total:
        few = language.translate_count("{count} bakery", "{count} bakeries", total)
        return few if total > 1 else ""
    return language.translate(
        "{count} bakeries, the {shown} that stand out most",
        count=language.number(total),
        shown=shown,
    )


def _products_shown(shown: int, total: int, language: Language) -> str:
    if shown == total:
        few = language.translate_count("{count} product", "{count} products", total)
        return few if total > 1 else ""
    return language.translate(
        "{count} products, the {shown} that stand out most",
        count=language.number(total),
        shown=shown,
    )


def _worry(bakery: BakeryHealth) -> float:
    oddities = sum(_oddity(product) for product in bakery.products)
    return 1000.0 * bakery.is_short + 10.0 * len(bakery.opening.gaps) + oddities


def _oddity(product: ProductHealth) -> float:
    sold_out = 0.0 if math.isnan(product.sold_out_share) else product.sold_out_share
    gaps = 20.0 * product.is_short + 10.0 * len(product.opening.pauses)
    return gaps + 5.0 * product.returns + len(product.outliers) + 10.0 * sold_out
