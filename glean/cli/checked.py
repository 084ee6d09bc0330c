"""What the data doctor says, in the terminal: tables first, then remarks in plain words."""

from __future__ import annotations

import math
from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from glean.sales.doctor import BakeryHealth, ProductHealth, Report
from glean.sales.outliers import RULE
from glean.sales.windows import MIN_TRADING_DAYS

Cells = dict[str, list[str]]
"""Heading -> the texts below it."""

TEXTS = ("bakery", "product", "closed on")
"""Headings of columns that may wrap; the others are numbers and days."""

WIDEST_NAME = 14
"""Characters that a name gets before numbers give way."""

MOST_BAKERIES = 10
MOST_PRODUCTS = 25
MOST_REMARKS = 5
OFTEN_SOLD_OUT = 0.2


def print_report(report: Report, console: Console | None = None) -> None:
    """Print a report; long tables show what needs a look first and count the rest."""
    console = console or Console(highlight=False)
    if report.bakeries:
        console.print(bakery_table(report))
        console.print(product_table(report))
    for remark in remarks_of(report):
        console.print(f"- {remark}", markup=False, soft_wrap=True)
    for problem in report.problems:
        console.print(str(problem), markup=False, soft_wrap=True)
    console.print(verdict(report), markup=False, soft_wrap=True)


def verdict(report: Report) -> str:
    """Say in one sentence whether the file can be used."""
    if report.usable:
        together = len(report.bakeries) > 1
        following = f" Next: glean simulate --sales {report.source}" if together else ""
        return f"{report.source} can be used as it is.{following}"
    count = len(report.problems)
    lines = "1 line" if count == 1 else f"{count} lines"
    return f"{report.source} can't be used yet: mend what is listed above ({lines})."


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
        "closed on": [_closed(bakery) for bakery in bakeries],
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
        "first day": [str(product.first) for product in products],
        "last day": [str(product.last) for product in products],
        "days": [f"{product.days:,}" for product in products],
        "units\na day": [f"{product.mean_units:,.1f}" for product in products],
    }
    if any(product.returns for product in products):
        cells["returns"] = [str(product.returns) for product in products]
    cells["outliers"] = [str(len(product.outliers)) for product in products]
    if not all(math.isnan(product.sold_out_share) for product in products):
        cells["sold\nout"] = [f"{product.sold_out_share:.0%}" for product in products]
    return _table(_title("products", len(shown), len(every)), cells)


def _table(title: str, cells: Cells) -> Table:
    table = Table(title=title or None, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading, column in cells.items():
        if heading in TEXTS:
            wide = min(max(map(len, column)), WIDEST_NAME)
            table.add_column(heading, min_width=wide, overflow="fold")
        else:
            table.add_column(heading, justify="right", no_wrap=True)
    for row in zip(*cells.values(), strict=True):
        table.add_row(*(escape(text) for text in row))
    return table


def _closed(bakery: BakeryHealth) -> str:
    off, mostly = (
        ", ".join(day[:3] for day in days)
        for days in (bakery.opening.days_off, bakery.opening.mostly_off)
    )
    return "; ".join(filter(None, [off, f"mostly {mostly}" if mostly else ""])) or "-"


def remarks_of(report: Report) -> Iterator[str]:
    """Sentences about what is worth a look, the gravest kinds first; of each kind a few."""
    yield from _few([_short(bakery) for bakery in report.bakeries if bakery.is_short])
    yield from _few(
        [
            f"Products {one!r} and {other!r}: are these the same? If so, give them one name."
            for one, other in report.like_names
        ]
    )
    for remark in (_returns, _gaps, _stock_outs, _outliers):
        yield from _few([text for bakery in report.bakeries if (text := remark(bakery))])
    if any(product.outliers for bakery in report.bakeries for product in bakery.products):
        yield RULE
    if report.ignored:
        yield f"Columns of text that aren't used: {', '.join(report.ignored)}."


def _few(texts: list[str]) -> list[str]:
    rest = len(texts) - MOST_REMARKS
    return texts[:MOST_REMARKS] + ([f"... and {rest} more like this."] if rest > 0 else [])


def _short(bakery: BakeryHealth) -> str:
    days = bakery.opening.trading_days
    return (
        f"{bakery.bakery}: a short history of {days} trading day{'s' * (days != 1)}; "
        f"from {MIN_TRADING_DAYS} on it can be learned from."
    )


def _returns(bakery: BakeryHealth) -> str:
    count = sum(product.returns for product in bakery.products)
    if not count:
        return ""
    what = "1 negative value, probably a return"
    if count > 1:
        what = f"{count} negative values, probably returns"
    return (
        f"{bakery.bakery}: {what}; `glean data import --returns net` takes it off the day's sales."
    )


def _gaps(bakery: BakeryHealth) -> str:
    gaps = bakery.opening.gaps
    if not gaps:
        return ""
    more = f", the longest of {len(gaps)} gaps" if len(gaps) > 1 else ""
    return f"{bakery.bakery}: no rows from {gaps[0]}{more}; closed then, or are rows lost?"


def _stock_outs(bakery: BakeryHealth) -> str:
    often = [product for product in bakery.products if product.sold_out_share > OFTEN_SOLD_OUT]
    if not often:
        return ""
    worst = max(often, key=lambda product: product.sold_out_share)
    return (
        f"{bakery.bakery}: {worst.product} sold out on {worst.sold_out_share:.0%} of its days; "
        "more could have been sold then, but no sales table shows how much."
    )


def _outliers(bakery: BakeryHealth) -> str:
    found = [(product.product, day) for product in bakery.products for day in product.outliers]
    if not found:
        return ""
    product, day = max(found, key=lambda at: abs(at[1].units - at[1].usual))
    return (
        f"{bakery.bakery}: {len(found)} outlier{'s' * (len(found) != 1)}, such as {product} on "
        f"{day.date}: {day.units:,.0f} where about {day.usual:,.0f} are usual; an event, or a slip?"
    )


def _title(noun: str, shown: int, total: int) -> str:
    if shown < total:
        return f"{total} {noun}, the {shown} that stand out most"
    return f"{total} {noun}" if total != 1 else ""


def _worry(bakery: BakeryHealth) -> float:
    oddities = sum(_oddity(product) for product in bakery.products)
    return 1000.0 * bakery.is_short + 10.0 * len(bakery.opening.gaps) + oddities


def _oddity(product: ProductHealth) -> float:
    sold_out = 0.0 if math.isnan(product.sold_out_share) else product.sold_out_share
    return 5.0 * product.returns + len(product.outliers) + 10.0 * sold_out
