"""A bakery's product list: prices, costs, and how a product is baked.

One row a product: `product` and any of the columns of `Product`, written in any way that an export
may be written.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd

from glean.errors import Problem, SalesError
from glean.sales.reading.sales_file import in_file_order
from glean.sales.reading.sheet import Sheet
from glean.sales.typed_lists import names_in, numbers_in, open_list

USUAL_SERVICE_LEVEL = 0.8
"""Share of the days on which a product shouldn't sell out, where neither price and cost nor a
service level is given: a roll that sells for four times what its waste costs has this ratio."""

CO2E_PER_KG = 0.74
"""Kilograms of CO2 equivalents behind a kilogram of bread, from the field to the shop: 0.589 kg for
a loaf of 800 g in Goucher and others, "The environmental impact of fertilizer embodied in a
wheat-to-bread supply chain" (Nature Plants 3, 2017). Pastry with butter has more."""


@dataclass(frozen=True)
class Product:
    """What is known of a product; NaN and "" stand for what isn't.

    Parameters
    ----------
    product : str
        Its name, as in the sales table.
    category : str
        Kind of product, the same word for like ones.
    price, cost, salvage : float
        Money a unit: what a customer pays, what making it costs (ingredients and energy, not the
        rent), what a left-over unit still brings (0 where not given).
    service_level : float
        Share of the days on which it shouldn't sell out; in place of the one that follows from
        price and cost.
    weight_kg : float
        Kilograms a unit.
    batch_size : float
        Units on a tray: a plan is a multiple of it.
    minimum : float
        Fewest units worth baking; the plan is none or at least these.
    shelf_life_days : float
        Days on which it can be sold at full price, 1 where not given.
    expected_units : float
        Units that the bakery expects to sell a day, for a product without sales.
    """

    product: str
    category: str = ""
    price: float = math.nan
    cost: float = math.nan
    salvage: float = math.nan
    service_level: float = math.nan
    weight_kg: float = math.nan
    batch_size: float = math.nan
    minimum: float = math.nan
    shelf_life_days: float = math.nan
    expected_units: float = math.nan

    @property
    def margin(self) -> float:
        """Money lost with a unit that is asked for and isn't there: price less cost, or NaN."""
        return self.price - self.cost

    @property
    def loss(self) -> float:
        """Money lost with a unit that is left over, or NaN.

        Goods that keep for two days get a second day to be sold: a left-over unit then costs half.
        """
        salvage = 0.0 if math.isnan(self.salvage) else self.salvage
        days = 1.0 if math.isnan(self.shelf_life_days) else self.shelf_life_days
        return (self.cost - salvage) / days

    @property
    def critical_ratio(self) -> float:
        """Share of the days on which it pays not to sell out (Arrow, Harris and Marschak 1951).

        margin / (margin + loss), or the service level, or `USUAL_SERVICE_LEVEL`.

        Examples
        --------
        >>> Product("roll", price=0.5, cost=0.1).critical_ratio
        0.8
        """
        if not math.isnan(self.service_level):
            return self.service_level
        if math.isnan(self.margin):
            return USUAL_SERVICE_LEVEL
        return self.margin / (self.margin + self.loss)

    def waste_cost(self, overproduced: float, unmet: float) -> float | None:
        """Money lost with units left over and units missed; None without price and cost."""
        if math.isnan(self.margin):
            return None
        return float(overproduced * self.loss + unmet * self.margin)


def read_products(path: Path) -> Mapping[str, Product]:
    """Read a product list.

    Returns
    -------
    mapping of str to Product
        By name, in the order of the file.

    Raises
    ------
    SalesError
        The file can't be read, with every problem: a product twice, a column that there isn't, text
        for a number, a price not above the cost.
    """
    sheet, problems = open_list(path)
    known = [item.name for item in fields(Product)]
    problems += [
        Problem(sheet.source, None, name, "a column that a product list doesn't have", _COLUMNS)
        for name in sheet.cells
        if name not in known
    ]
    if "product" not in sheet.cells:
        problems.append(Problem(sheet.source, None, "product", "no such column", _COLUMNS))
        raise SalesError(problems)
    names = [item.name for item in fields(Product) if item.type != "str"]
    numbers, unread = numbers_in(sheet, [name for name in names if name in sheet.cells])
    problems += unread + _out_of_range(sheet, numbers)
    texts = {name: names_in(sheet, name) for name in ("product", "category") if name in sheet.cells}
    found: dict[str, Product] = {}
    for row, values in enumerate(numbers.assign(**texts).to_dict("records")):
        product = Product(**{str(name): value for name, value in values.items()})
        line = int(sheet.lines[row])
        problems += _without_margin(product, sheet.source, line)
        if product.product in found or not product.product:
            wanted = "each product once, with its name"
            problems.append(Problem(sheet.source, line, "product", repr(product.product), wanted))
        found[product.product] = product
    if problems:
        raise SalesError(in_file_order(problems))
    return found


def unsold_products(listed: Mapping[str, Product], sold: Iterable[str]) -> dict[str, list[str]]:
    """Name the products of a list that match nothing sold, each with the names that are near.

    What has `expected_units` is meant to be new, unless a name is near.

    Examples
    --------
    >>> listed = {"roll": Product("roll"), "Cake": Product("Cake", expected_units=3.0)}
    >>> unsold_products(listed, ["Roll", "Loaf"])
    {'roll': ['Roll']}
    """
    by_plain = {name.casefold(): name for name in sold}
    found = {}
    for name, product in listed.items():
        if name in by_plain.values():
            continue
        plain = [name.casefold()]
        if plain[0] not in by_plain:
            plain = difflib.get_close_matches(plain[0], by_plain, n=3, cutoff=_NEAR)
        if plain or math.isnan(product.expected_units):
            found[name] = [by_plain[text] for text in plain]
    return found


_COLUMNS = "the columns " + ", ".join(item.name for item in fields(Product))

_NEAR = 0.75
"""From this ratio of `difflib.SequenceMatcher` on a name may be meant."""


def _out_of_range(sheet: Sheet, numbers: pd.DataFrame) -> list[Problem]:
    problems = []
    for name in numbers:
        low, high, wanted = _RANGES.get(str(name), (0.0, math.inf, "a number from 0 up"))
        outside = (numbers[name] < low) | (numbers[name] > high)
        problems += sheet.problems_at(np.flatnonzero(outside), str(name), wanted)
    return problems


def _without_margin(product: Product, source: str, line: int) -> list[Problem]:
    if math.isnan(product.margin) or (product.margin > 0 and product.loss > 0):
        return []
    found = f"price {product.price:g}, cost {product.cost:g}"
    wanted = "a price above the cost, and a cost above the salvage value"
    return [Problem(source, line, "price", found, wanted)]


_RANGES = {
    "service_level": (0.01, 0.99, "a share from 0.01 to 0.99, like 0.9"),
    "batch_size": (1e-9, math.inf, "a number above 0"),
    "shelf_life_days": (1.0, 14.0, "whole days from 1 to 14"),
}
