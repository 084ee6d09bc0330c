"""Catalogues of Babel's, read as they are written, without a build."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog

LOCALES = Path(__file__).parent / "locale"


def translatable(text: str) -> str:
    """Mark a sentence for the catalogues where it is written before its language is known.

    Examples
    --------
    >>> translatable("{bakery} has joined")
    '{bakery} has joined'
    """
    return text


@cache
def read_catalogue(code: str) -> Catalog:
    """Read the sentences of a language other than English."""
    # Here, since a run that speaks English only does without it.
    from babel.messages.pofile import read_po

    with (LOCALES / code / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=code)
