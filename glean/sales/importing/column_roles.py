"""Which column is the day, the product, what was sold: found by its name and what stands in it.

Only what a person doesn't tell is looked for, and what is found is shown.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from glean.errors import Problem, SalesError
from glean.languages.catalogues import translatable
from glean.languages.sentences import Sentence
from glean.sales.importing.column_words import (
    BAKERY_WORDS,
    DATE_WORDS,
    PRODUCT_WORDS,
    UNITS_WORDS,
    hour_columns,
    is_day,
    is_number,
    plain_name,
)
from glean.sales.importing.kind_layout import KindLayout, fitting_kind
from glean.sales.importing.request import Columns, ImportRequest
from glean.sales.reading.sheet import Texts

_LOOKED_AT = 500
"""Cells of a column that are looked at."""


def kind_like(cells: Mapping[str, Texts], request: ImportRequest, source: str) -> KindLayout | None:
    """Find the kind of the layout that some columns are like; None without a layout.

    Raises
    ------
    SalesError
        They are like none, with what differs.
    """
    if not request.kinds:
        return None
    return fitting_kind(request.kinds, list(cells), source=source, layout=request.layout)


def find_roles(cells: Mapping[str, Texts], request: ImportRequest, source: str) -> Columns:
    """Find the columns that nobody named, by the layout if there is one.

    Parameters
    ----------
    cells : mapping of str to array of str
        Column -> its texts.
    request : ImportRequest
        What is told already; if that is enough, nothing is looked for.
    source : str
        The file or sheet, for messages.

    Returns
    -------
    Columns
        With the roles that were found; "" where there is none.

    Raises
    ------
    SalesError
        Several columns could be the day, or what was sold; or the layout is another.
    """
    found = request.columns
    if kind := kind_like(cells, request, source):
        hours = tuple(hour_columns(list(cells))) if kind.hours else ()
        roles = {role: getattr(kind, role) for role in ("date", "bakery", "product", "units")}
        return replace(found, hours=hours, **roles)
    if request.is_complete:
        return found
    looked_at = {name: _filled(texts) for name, texts in cells.items()}
    told = {*(column for _, column in found.named()), *request.products}
    free = [name for name in looked_at if name not in told]
    if not found.date:
        found = replace(found, date=_date_column(looked_at, free, source))
    if not (found.bakery or request.bakery_name):
        found = replace(found, bakery=_first_named(free, BAKERY_WORDS))
    if request.wide:
        return found
    free = [name for name in free if name not in (found.date, found.bakery)]
    if not found.units:
        hours = tuple(hour_columns(free))
        units = "" if hours else _units_column(looked_at, free, source)
        found = replace(found, units=units, hours=hours)
    if not found.product:
        names = [name for name in free if not _mostly(is_number, looked_at[name])]
        found = replace(found, product=_first_named(names, PRODUCT_WORDS))
    return found


def _date_column(cells: Mapping[str, Sequence[str]], free: Collection[str], source: str) -> str:
    days = [name for name in free if _mostly(is_day, cells[name])]
    named = _first_named(days or free, DATE_WORDS)
    if named or len(days) < 2:
        return named or "".join(days)
    wanted = Sentence(
        translatable("one; name it by --date, like --date {column}"), column=repr(days[0])
    )
    several = translatable("{count} columns of days, {columns}")
    found = Sentence(several, count=len(days), columns=", ".join(days))
    raise SalesError([Problem(source, None, "", found, wanted)])


def _units_column(cells: Mapping[str, Sequence[str]], free: Collection[str], source: str) -> str:
    named = [name for name in free if plain_name(name) in UNITS_WORDS]
    numbers = [name for name in named if _mostly(is_number, cells[name])]
    named = numbers or named
    if len(named) < 2:
        return "".join(named)
    wanted = Sentence(
        translatable("what was sold named by --units, like --units {column}"), column=repr(named[0])
    )
    found = Sentence(translatable("the columns {columns}"), columns=", ".join(named))
    raise SalesError([Problem(source, None, "", found, wanted)])


def _first_named(names: Collection[str], words: Sequence[str]) -> str:
    """Find the column whose name stands first among the words; "" if there is none."""
    by_word = {plain_name(name): name for name in reversed(list(names))}
    return next((by_word[word] for word in words if word in by_word), "")


def _filled(texts: Texts) -> list[str]:
    return [text.strip() for text in texts[:_LOOKED_AT] if text.strip()]


def _mostly(is_so: object, texts: Sequence[str]) -> bool:
    assert callable(is_so)
    return bool(texts) and sum(map(is_so, texts)) > 0.9 * len(texts)
