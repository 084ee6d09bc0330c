"""A column of currencies: money of two kinds isn't added up."""

from __future__ import annotations

import re

import numpy as np

from glean.errors import Problem, SalesError
from glean.sales.importing.column_words import UNITS_WORDS
from glean.sales.importing.request import Columns
from glean.sales.importing.tills import ONE
from glean.sales.importing.wide_files import UNITS
from glean.sales.reading.sheet import Sheet, quoted
from glean.sales.reading.values import distinct_of

_NAMES = re.compile(r"\w*(currency|währung|waehrung|devise|monnaie)(code|kürzel|kennzeichen)?")


def refuse_mixed_currencies(sheet: Sheet, columns: Columns) -> None:
    """Refuse lines in two currencies, where money is read.

    Money is read where a price is kept, and where what was sold isn't called pieces.

    Raises
    ------
    SalesError
        A column named for it holds two currencies, by line.
    """
    pieces = re.sub(r"[\s-]+", "_", columns.units.strip().casefold()) in UNITS_WORDS
    if (pieces or columns.units in (UNITS, ONE)) and "price" not in columns.kept.values():
        return
    for name, texts in sheet.cells.items():
        if not _NAMES.fullmatch(re.sub(r"[\W\d_]+", "", name).casefold()):
            continue
        codes, distinct = distinct_of(np.array([text.strip().upper() for text in texts], object))
        currencies = [text for text in distinct if text]
        if len(currencies) < 2:
            continue
        row = int(np.flatnonzero(codes == distinct.index(currencies[1]))[0])
        found = f"{quoted(currencies[1])} beside {quoted(currencies[0])}"
        wanted = "one currency; export each by itself"
        problem = Problem(sheet.source_of(row), int(sheet.lines[row]), name, found, wanted)
        raise SalesError([problem])
