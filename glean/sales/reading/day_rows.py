"""Typed rows become a `SalesTable`: each day once, in the order of the format."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glean.errors import Problem
from glean.languages.catalogues import translatable
from glean.languages.sentences import Sentence
from glean.sales.reading.sheet import FEW_SHOWN, Sheet
from glean.sales.reading.values import distinct_of
from glean.sales.table import FORMAT, KEYS, SalesTable


def repeated_days(sheet: Sheet, frame: pd.DataFrame, date_column: str) -> list[Problem]:
    """Find rows of a day that the bakery and product already have."""
    keys = [key for key in KEYS if key in frame]
    known = frame[frame["date"].notna()]
    again = known.index[known.duplicated(keys)]
    if again.empty:
        return []
    shown = known.loc[again[:FEW_SHOWN], keys].merge(
        known[keys].reset_index(names="first").drop_duplicates(keys), on=keys, how="left"
    )
    problems = []
    for row, first in zip(again, shown["first"], strict=False):
        already = translatable(
            "each day once within a bakery and product; line {line} has it already "
            "(`glean data import --till-lines` sums the lines of a day)"
        )
        if sheet.parts is not None:
            already = translatable(
                "each day once within a bakery and product; line {line} of {source} has it already "
                "(`glean data import --till-lines` sums the lines of a day)"
            )
        wanted = Sentence(already, line=f"{sheet.lines[first]}", source=sheet.source_of(first))
        problems += sheet.problems_at(np.array([row]), date_column, wanted)
    rest = sheet.rest_of(
        again.to_numpy(), date_column, Sentence(translatable("each day once")), most=FEW_SHOWN
    )
    return problems + rest


def table_of(frame: pd.DataFrame) -> SalesTable:
    """Order sound rows by bakery, product and date, and the columns as the format lists them.

    Parameters
    ----------
    frame : DataFrame
        At least `date`, `bakery`, `product`, `units`, without a fault.
    """
    ranks = [_ranks(frame[key]) for key in ("bakery", "product")]
    order = np.lexsort((frame["date"].to_numpy(), ranks[1], ranks[0]))
    names = [name for name in FORMAT if name in frame]
    names += [str(name) for name in frame if name not in FORMAT]
    return SalesTable(frame[names].iloc[order].reset_index(drop=True))


def _ranks(names: pd.Series[str]) -> NDArray[np.intp]:
    codes, distinct = distinct_of(names.to_numpy())
    ranks = np.empty(len(distinct), dtype=np.intp)
    ranks[sorted(range(len(distinct)), key=distinct.__getitem__)] = np.arange(len(distinct))
    return ranks[codes]
