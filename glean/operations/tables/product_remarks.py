"""Remarks on a bakery's products in a sales table: what sets them apart from their bakery."""

from __future__ import annotations

from glean.languages.language import Language
from glean.operations.tables.remark_words import gap_in, some_of, weekdays_off
from glean.sales.quality.health import BakeryHealth
from glean.sales.quality.histories import FORECAST_FROM_DAY
from glean.sales.windows import MIN_TRADING_DAYS

OFTEN_SOLD_OUT = 0.2


def never_sold(bakery: BakeryHealth, language: Language) -> str:
    """Name the products that never sold a unit; they may be all."""
    idle = bakery.never_sold
    if not idle:
        return ""
    if len(idle) == len(bakery.products):
        return language.translate(
            "{bakery}: never sold anything; it can't be learned from.", bakery=bakery.bakery
        )
    return language.translate_count(
        "{bakery}: {products} never sold; it can't be learned from.",
        "{bakery}: {products} never sold; they can't be learned from.",
        len(idle),
        bakery=bakery.bakery,
        products=some_of(idle, language),
    )


def short_products(bakery: BakeryHealth, language: Language) -> str:
    """Name the products with fewer days than a bakery needs."""
    short = [] if bakery.is_short else [product for product in bakery.products if product.is_short]
    if not short:
        return ""
    shortest = sorted(short, key=lambda product: product.opening.trading_days)
    found = [f"{product.product} ({product.opening.trading_days})" for product in shortest]
    return language.translate(
        "{bakery}: fewer than {fewest} days of {products}; a product is forecast from its "
        "{first}th day on.",
        bakery=bakery.bakery,
        fewest=MIN_TRADING_DAYS,
        products=some_of(found, language),
        first=FORECAST_FROM_DAY,
    )


def returns(bakery: BakeryHealth, language: Language) -> str:
    """Count the negative values."""
    count = sum(product.returns for product in bakery.products)
    if not count:
        return ""
    return language.translate_count(
        "{bakery}: {count} negative value, probably a return; `glean data import --returns net` "
        "takes it off the day's sales.",
        "{bakery}: {count} negative values, probably returns; `glean data import --returns net` "
        "takes them off the day's sales.",
        count,
        bakery=bakery.bakery,
    )


def pauses(bakery: BakeryHealth, language: Language) -> str:
    """Name the products that have no rows for long while the bakery is open."""
    paused = [product for product in bakery.products if product.opening.pauses]
    if not paused:
        return ""
    longest = sorted(paused, key=lambda product: -product.opening.pauses[0].days)
    found = [
        f"{product.product} {gap_in(product.opening.pauses[0], language)}" for product in longest
    ]
    return language.translate(
        "{bakery}: open, but no rows of {products}; not on offer, or rows lost? Glean takes it "
        "for not on offer.",
        bakery=bakery.bakery,
        products=some_of(found, language),
    )


def weekdays_without_rows(bakery: BakeryHealth, language: Language) -> str:
    """Name the products that have no rows on weekdays on which the bakery is open."""
    off = [
        (product.product, weekdays_off(product.opening, language)) for product in bakery.products
    ]
    found = [f"{product} ({days})" for product, days in off if days]
    if not found:
        return ""
    return language.translate(
        "{bakery}: open, but these have no rows on some weekdays: {products}. Glean plans nothing "
        "on a weekday on which it hardly ever sold.",
        bakery=bakery.bakery,
        products=some_of(found, language),
    )


def stock_outs(bakery: BakeryHealth, language: Language) -> str:
    """Name the product that sells out most often."""
    often = [product for product in bakery.products if product.sold_out_share > OFTEN_SOLD_OUT]
    if not often:
        return ""
    worst = max(often, key=lambda product: product.sold_out_share)
    return language.translate(
        "{bakery}: {product} sold out on {share} of its days; more could have been sold then, but "
        "no sales table shows how much.",
        bakery=bakery.bakery,
        product=worst.product,
        share=language.percent(worst.sold_out_share, 0),
    )
