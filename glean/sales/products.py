"""A bakery's product list: prices, costs, and how a product is baked.

One row a product: `product` and any of the columns of `Product`. Comma, semicolon or tab between
cells, decimal point or comma. It is small, so that it is read with the standard library alone.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from glean.errors import Problem, SalesError
from glean.regular_files import read_regular
from glean.runs.spreadsheet_cells import unescape_cell

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
    rows = _rows_of(path)
    known = [item.name for item in fields(Product)]
    problems = [
        Problem(str(path), None, name, "a column that a product list doesn't have", _COLUMNS)
        for name in (rows[0] if rows else [])
        if name not in known
    ]
    if not rows or "product" not in rows[0]:
        problems.append(Problem(str(path), None, "product", "no such column", _COLUMNS))
        raise SalesError(problems)
    found: dict[str, Product] = {}
    for line, cells in enumerate(rows[1:], start=2):
        row = dict(zip(rows[0], (*cells, *[""] * len(rows[0])), strict=False))
        product, wrong = _product_of(row, str(path), line)
        problems += wrong
        if product.product in found or not product.product:
            wanted = "each product once, with its name"
            problems.append(Problem(str(path), line, "product", repr(product.product), wanted))
        found[product.product] = product
    if problems:
        raise SalesError(problems)
    return found


_COLUMNS = "the columns " + ", ".join(item.name for item in fields(Product))


def _rows_of(path: Path) -> list[list[str]]:
    try:
        text = read_regular(path).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        found = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise SalesError([Problem(str(path), None, "", found, "a CSV file in UTF-8")]) from error
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    rows = [[c.strip() for c in row] for row in csv.reader(io.StringIO(text), delimiter=delimiter)]
    return [row for row in rows if any(row)]


def _product_of(row: Mapping[str, str], source: str, line: int) -> tuple[Product, list[Problem]]:
    values: dict[str, str | float] = {}
    problems = []
    for item in fields(Product):
        text = row.get(item.name, "")
        if item.type == "str":
            values[item.name] = unescape_cell(text)
        elif text:
            number = _number(text)
            low, high, wanted = _RANGES.get(item.name, (0.0, math.inf, "a number from 0 up"))
            if not low <= number <= high:
                problems.append(Problem(source, line, item.name, repr(text), wanted))
            else:
                values[item.name] = number
    product = Product(**values)  # type: ignore[arg-type]
    if not math.isnan(product.margin) and (product.margin <= 0 or product.loss <= 0):
        found = f"price {product.price:g}, cost {product.cost:g}"
        wanted = "a price above the cost, and a cost above the salvage value"
        problems.append(Problem(source, line, "price", found, wanted))
    return product, problems


_RANGES = {
    "service_level": (0.01, 0.99, "a share from 0.01 to 0.99, like 0.9"),
    "batch_size": (1e-9, math.inf, "a number above 0"),
    "shelf_life_days": (1.0, 14.0, "whole days from 1 to 14"),
}


def _number(text: str) -> float:
    try:
        return float(text.replace(",", ".") if text.count(",") == 1 else text)
    except ValueError:
        return math.nan
