"""Sales files as bytes or text, whole and spoilt."""

from __future__ import annotations

from pathlib import Path

import pytest

from glean.errors import SalesError
from glean.sales.reading.sales_file import read_sales

HEADER = "date,bakery,product,units,price,promotion,sold_out_at\n"


GOOD = HEADER + "2024-05-02,North,Rolls,41,0.45,0,\n2024-05-03,North,Rolls,38,,1,16:30\n"


def file_of(folder: Path, content: bytes | str, name: str = "shop.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def with_cell(column: str, cell: str) -> str:
    cells = dict(zip(HEADER.strip().split(","), GOOD.splitlines()[2].split(","), strict=True))
    return GOOD.splitlines()[0] + "\n" + ",".join((cells | {column: cell}).values()) + "\n"


def message_of(path: Path) -> str:
    with pytest.raises(SalesError) as caught:
        read_sales(path)
    assert caught.value.problems
    return str(caught.value)
