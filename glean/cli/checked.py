"""The check of a sales table in the terminal: tables first, then remarks in plain words."""

from __future__ import annotations

import math

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from glean.operations.remarks import weekdays_off
from glean.operations.table_check import TableCheck
from glean.sales.quality.health import BakeryHealth, ProductHealth, Report

Cells = dict[str, list[str]]
"""Heading -> the texts below it."""

TEXTS = ("bakery", "product", "closed on")
"""Headings of columns that may wrap; the others are numbers and days."""

NAMES_WIDTH = 14
"""Characters that the names of a line get, all together, before numbers give way."""

MOST_BAKERIES = 10
MOST_PRODUCTS = 25


def print_check(check: TableCheck, console: Console | None = None) -> None:
    """Print a check; long tables show what needs a look first and count the rest."""
    console = console or Console(highlight=False)
    report = check.report
    if report.bakeries:
        console.print(bakery_table(report))
        console.print(product_table(report))
    for remark in check.remarks:
        console.print(f"- {remark}", markup=False, soft_wrap=True)
    for problem in report.problems:
        console.print(str(problem), markup=False, soft_wrap=True)
    console.print(check.verdict, markup=False, soft_wrap=True)


def bakery_table(report: Report) -> Table:
    """Span and days per bakery; of many, those that need a look."""
    bakeries = sorted(report.bakeries, key=lambda bakery: -_worry(bakery))[:MOST_BAKERIES]
    cells: Cells = {
        "bakery": [bakery.bakery for bakery in bakeries],
        "first day": [str(bakery.opening.first) for bakery in bakeries],
        "last day": [str(bakery.opening.last) for bakery in bakeries],
        "trading\ndays": [f"{bakery.opening.trading_days:,}" for bakery in bakeries],
        "missing\ndays": [str(bakery.opening.missing_days) for bakery in bakeries],
        "gaps": [str(len(bakery.opening.gaps)) for bakery in bakeries],
        "closed on": [weekdays_off(bakery.opening) or "-" for bakery in bakeries],
    }
    return _table(_title("bakeries", len(bakeries), len(report.bakeries)), cells)


def product_table(report: Report) -> Table:
    """Span, days and size per product; of many, those that need a look."""
    every = [(bakery.bakery, product) for bakery in report.bakeries for product in bakery.products]
    shown = every if len(every) <= MOST_PRODUCTS else sorted(every, key=lambda at: -_oddity(at[1]))
    shown = shown[:MOST_PRODUCTS]
    products = [product for _, product in shown]
    cells: Cells = {"bakery": [bakery for bakery, _ in shown]} if len(report.bakeries) > 1 else {}
    cells |= {
        "product": [product.product for product in products],
        "first day": [str(product.opening.first) for product in products],
        "last day": [str(product.opening.last) for product in products],
        "days": [f"{product.opening.trading_days:,}" for product in products],
        "units\na day": [f"{product.mean_units:,.1f}" for product in products],
    }
    if any(product.returns for product in products):
        cells["re-\nturns"] = [str(product.returns) for product in products]
    if any(product.opening.pauses for product in products):
        cells["gaps"] = [str(len(product.opening.pauses)) for product in products]
    cells["out-\nliers"] = [str(len(product.outliers)) for product in products]
    if not all(math.isnan(product.sold_out_share) for product in products):
        cells["sold\nout"] = [f"{product.sold_out_share:.0%}" for product in products]
    return _table(_title("products", len(shown), len(every)), cells)


def _table(title: str, cells: Cells) -> Table:
    table = Table(title=title or None, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    name_width = NAMES_WIDTH // len([heading for heading in cells if heading in TEXTS])
    for heading, column in cells.items():
        if heading in TEXTS:
            wide = min(max(map(len, column)), name_width)
            table.add_column(heading, min_width=wide, overflow="fold")
        else:
            table.add_column(heading, justify="right", no_wrap=True)
    for row in zip(*cells.values(), strict=True):
        table.add_row(*(escape(text) for text in row))
    return table


def _title(noun: str, shown: int, total: int) -> str:
    if shown < total:
        return f"{total} {noun}, the {shown} that stand out most"
    return f"{total} {noun}" if total != 1 else ""


def _worry(bakery: BakeryHealth) -> float:
    oddities = sum(_oddity(product) for product in bakery.products)
    return 1000.0 * bakery.is_short + 10.0 * len(bakery.opening.gaps) + oddities


def _oddity(product: ProductHealth) -> float:
    sold_out = 0.0 if math.isnan(product.sold_out_share) else product.sold_out_share
    gaps = 20.0 * product.is_short + 10.0 * len(product.opening.pauses)
    return gaps + 5.0 * product.returns + len(product.outliers) + 10.0 * sold_out
