"""Which of the products that can be forecast a plan is for: those listed, and sold often enough."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from glean.errors import SettingsError
from glean.forecasting.recursive_forecast import ForecastRow
from glean.languages.language import Language
from glean.sales.product_choice import OnlyThese
from glean.sales.products import Product

MOST_NAMED = 5
"""Products that a remark lists."""


@dataclass(frozen=True)
class BakedProducts:
    """What a plan is for.

    Parameters
    ----------
    only : OnlyThese or None
        Products, and categories of the product list; None for all.
    min_units_a_day : float
        Products of which fewer are expected on the mean of the forecast days are left out.

    Raises
    ------
    SettingsError
        `min_units_a_day` is below 0.
    """

    only: OnlyThese | None = None
    min_units_a_day: float = 0.0

    def __post_init__(self) -> None:
        if not self.min_units_a_day >= 0:
            raise SettingsError(
                f"--min-units-a-day: found {self.min_units_a_day}; wanted 0 or more"
            )

    def of(
        self,
        rows: Sequence[ForecastRow],
        listed: Mapping[str, Product],
        sold: Sequence[str],
        language: Language,
    ) -> tuple[list[ForecastRow], tuple[str, ...]]:
        """Keep the rows of these products.

        Parameters
        ----------
        rows : sequence of ForecastRow
            Days and products.
        listed : mapping of str to Product
            The product list, which knows categories.
        sold : sequence of str
            Products that were ever sold, which a list may name though they aren't forecast.
        language : Language
            Of the sentences.

        Returns
        -------
        list of ForecastRow
            The rows.
        tuple of str
            Sentences on what was left out.

        Raises
        ------
        SalesError
            A name of `only` matches nothing.
        SettingsError
            Nothing is left.
        """
        units: dict[str, list[float]] = {}
        for row in rows:
            units.setdefault(row.product, []).append(row.units)
        names = list(units)
        if self.only is not None:
            every = list(dict.fromkeys([*names, *sold, *listed]))
            nothing = Product("")
            categories = [listed.get(name, nothing).category for name in every]
            kept = self.only.kept(every, categories)
            names = [name for name, keep in zip(every, kept, strict=True) if keep and name in units]
        few = [name for name in names if np.mean(units[name]) < self.min_units_a_day]
        left = set(names).difference(few)
        if not left:
            raise SettingsError(
                "--only and --min-units-a-day: found no product that they leave over and that can "
                "be forecast; wanted at least one"
            )
        told = self._told(few, len(units) - len(names), language)
        return [row for row in rows if row.product in left], tuple(told)

    def _told(self, few: Sequence[str], unlisted: int, language: Language) -> Iterator[str]:
        if self.only is not None and unlisted:
            yield language.translate_count(
                "Left out: {count} product that {file} doesn't list.",
                "Left out: {count} products that {file} doesn't list.",
                unlisted,
                file=self.only.source,
            )
        if few:
            yield language.translate(
                "Left out, below {units} units a day: {products}.",
                units=language.shortest_number(self.min_units_a_day),
                products=_named(few, language),
            )


def _named(products: Sequence[str], language: Language) -> str:
    names, more = ", ".join(products[:MOST_NAMED]), len(products) - MOST_NAMED
    if more <= 0:
        return names
    return language.translate_count(
        "{names} and {count} more", "{names} and {count} more", more, names=names
    )


ALL_PRODUCTS = BakedProducts()
"""Nothing is left out."""
