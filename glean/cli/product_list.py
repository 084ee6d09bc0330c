"""`--products FILE`: what a product list names and nobody has sold, said on stderr."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from glean.sales.products import Product

MOST_NAMED = 8
"""Products that are named before the rest is counted."""


def say_what_is_unsold(path: Path, listed: Mapping[str, Product], sold: Iterable[str]) -> None:
    """Name what matches no product that is sold, with near names; nothing where there are none."""
    from glean.sales.products import unsold_products

    unsold = list(unsold_products(listed, sold).items())
    if not unsold:
        return
    named = [
        f"{name!r}" + (f" (perhaps {' or '.join(map(repr, near))})" if near else "")
        for name, near in unsold[:MOST_NAMED]
    ]
    more = f" and {len(unsold) - MOST_NAMED} more" if len(unsold) > MOST_NAMED else ""
    typer.echo(
        f"{path}: found {', '.join(named)}{more}, which nobody has bought; wanted a name as in the "
        "sales table, or expected_units for what is new.",
        err=True,
    )
