"""The first lines that come out of each kind of part of an export, for a person to compare."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from glean.sales.importing.exports import Note
from glean.sales.reading.sheet import Sheet

LINES_SHOWN = 3
"""So many lines of each kind."""


def result_lines(
    sheet: Sheet, frame: pd.DataFrame, kinds: Sequence[tuple[str, frozenset[int]]]
) -> Iterator[Note]:
    """Show what the first lines of each kind became.

    Parameters
    ----------
    sheet : Sheet
        The lines that were read.
    frame : DataFrame
        Days made of them: `date`, `units` and, if there are some, `bakery` and `product`; the index
        is the position in the sheet of each day's first line.
    kinds : sequence of (str, frozenset of int)
        The name of each kind, and which parts of the sheet are of it.
    """
    parts = sheet.parts.of_row[frame.index] if sheet.parts else np.zeros(len(frame), dtype=np.intp)
    order = np.lexsort((sheet.lines[frame.index], parts))
    for name, of_kind in kinds:
        shown = frame.iloc[order[np.isin(parts[order], list(of_kind))][:LINES_SHOWN]]
        label = "result"
        for row in shown.itertuples():
            names = [str(getattr(row, key)) for key in ("bakery", "product") if hasattr(row, key)]
            place = f" ({name})" if len(kinds) > 1 and label else ""
            yield label, f"{row.date:%Y-%m-%d}  {', '.join(names) or 'all'}: {row.units:g}{place}"
            label = ""
