"""A parquet file becomes a `Sheet` of texts, so that the checks see one kind of cell only."""

from __future__ import annotations

import io
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from glean.errors import Problem, SalesError
from glean.sales.reading.sheet import Sheet, Texts, texts_of
from glean.sales.reading.text_files import read_bytes


def open_parquet_sheet(path: Path) -> Sheet:
    """Read a parquet file; columns of lists or the like are refused.

    Raises
    ------
    SalesError
        The file is missing, damaged or holds columns that aren't text, numbers or dates; or there
        is nothing here that reads it.
    """
    source = str(path)
    if find_spec("pyarrow") is None:
        wanted = "a table as CSV, or pip install 'glean[parquet]'"
        raise SalesError([Problem(source, None, "", "a parquet file and no PyArrow", wanted)])
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = read_bytes(path)
    try:
        table = pq.ParquetFile(io.BytesIO(data)).read()
    except (pa.ArrowException, OSError, ValueError, EOFError, MemoryError) as error:
        first = (str(error).splitlines() or ["no reason given"])[0]
        wanted = "a whole parquet file; write or copy it again"
        found = f"a damaged parquet file ({first})"
        raise SalesError([Problem(source, None, "", found, wanted)]) from None
    problems = []
    cells: dict[str, Texts] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        try:
            cells[name] = _texts(column)
        except (pa.ArrowException, ValueError):
            wanted = "a column of text, numbers or dates"
            problems.append(Problem(source, None, name, f"the type {column.type}", wanted))
    if problems:
        raise SalesError(problems)
    return Sheet(source, cells, np.arange(1, table.num_rows + 1))


def _texts(column: Any) -> Texts:
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    number = pa.types.is_floating(column.type)
    dated = pa.types.is_timestamp(column.type)
    texts = [text or "" for text in column.cast(pa.string()).to_pylist()]
    if number:  # a missing number is null or NaN, by who wrote the file
        texts = ["" if text == "nan" else text for text in texts]
    if dated:
        texts = [_day(text) for text in texts]
    return texts_of(texts)


def _day(text: str) -> str:
    day, _, time = text.partition(" ")
    return day if not time.strip("0:.Z") else text
