"""`--products FILE`: what a product list names and nobody has sold, said on stderr."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from glean.languages.language import Language
    from glean.sales.products import Product

MOST_NAMED = 8
"""Products that are named before the rest is counted."""


def say_what_is_unsold(
    path: Path, listed: Mapping[str, Product], sold: Iterable[str], language: Language
) -> None:
    """Name what matches no product that is sold, with near names; nothing where there are none."""
    from glean.sales.products import unsold_products

    unsold = list(unsold_products(listed, sold).items())
    if not unsold:
        return
    products = ", ".join(_named(name, near, language) for name, near in unsold[:MOST_NAMED])
    if len(unsold) > MOST_NAMED:
        products = language.translate_count(
            "{names} and {count} more",
            "{names} and {count} more",
            len(unsold) - MOST_NAMED,
            names=products,
        )
    said = language.translate(
        "{file}: found {products}, which nobody has bought; wanted a name as in the sales table, "
        "or expected_units for what is new.",
        file=path,
        products=products,
    )
    typer.echo(said, err=True)


def _named(name: str, near: Sequence[str], language: Language) -> str:
    if not near:
        return repr(name)
    meant = language.either(list(map(repr, near)))
    return language.translate("{name} (perhaps {names})", name=repr(name), names=meant)
