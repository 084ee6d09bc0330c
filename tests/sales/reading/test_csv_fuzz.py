"""Damaged files end in a table or in a message, never in a traceback or a warning."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from glean.errors import GleanError
from glean.sales.importing.import_sales import import_sales
from glean.sales.importing.request import Columns, ImportRequest
from glean.sales.quality.data_check import examine
from glean.sales.reading.sales_file import read_sales
from glean.sales.synthetic.bakeries import synthetic_bakery
from glean.sales.table import SalesTable
from glean.sales.writing import write_sales

CASES = 120


def _cut(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data))]


def _other_delimiter(data: bytes, draw: random.Random) -> bytes:
    other = draw.choice([b";", b"\t", b"|", b" ", b""])
    return data.replace(b",", other, draw.choice([-1, 1, 40]))


def _nulls(data: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(data))
    return data[:at] + b"\0" * draw.randint(1, 9) + data[at:]


def _random_bytes(data: bytes, draw: random.Random) -> bytes:
    spoilt = bytearray(data)
    for _ in range(draw.randint(1, 30)):
        spoilt[draw.randrange(len(data))] = draw.randrange(256)
    return bytes(spoilt)


def _ascii_bytes(data: bytes, draw: random.Random) -> bytes:
    spoilt = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        spoilt[draw.randrange(len(data))] = draw.choice(b'0123456789.,-:eE+"\n\r ')
    return bytes(spoilt)


def _lines(data: bytes, draw: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    at = draw.randrange(len(lines))
    match draw.randrange(3):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, lines[at])
        case _:
            draw.shuffle(lines)
    return b"".join(lines)


def _recoded(data: bytes, draw: random.Random) -> bytes:
    text = data.decode(errors="ignore")
    encoding = draw.choice(["utf-16", "utf-16-le", "utf-32", "utf-8-sig", "cp500"])
    recoded = text.encode(encoding, errors="replace")
    return recoded[: draw.choice([len(recoded), len(recoded) - 1])]


MUTATIONS: list[Callable[[bytes, random.Random], bytes]] = [
    _cut,
    _other_delimiter,
    _nulls,
    _random_bytes,
    _ascii_bytes,
    _lines,
    _recoded,
]


@pytest.fixture
def small_table() -> SalesTable:
    rows = synthetic_bakery(0).table.rows
    return SalesTable(rows.groupby("product").head(30).reset_index(drop=True))


def _seeded(case: int) -> random.Random:
    return random.Random(case)  # noqa: S311 - damage that can be repeated, no secret


def _spoil(data: bytes, case: int) -> bytes:
    draw = _seeded(case)
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        data = draw.choice(MUTATIONS)(data, draw) if data else data
    return data


def _outcome(action: Callable[[], object]) -> str:
    try:
        action()
    except GleanError as error:
        return "refused" if str(error).strip() else "refused without words"
    return "read"


def test_damaged_csv_files_never_end_in_a_traceback(
    tmp_path: Path, small_table: SalesTable
) -> None:
    """120 seeded ways to damage a file: reading, checking and importing survive each."""
    path = tmp_path / "shop.csv"
    write_sales(small_table, path)
    good = path.read_bytes()
    long = Columns(date="date", bakery="bakery", product="product", units="units")
    imports = [
        ImportRequest(path, long, returns="net"),
        ImportRequest(path, long, till_lines=True),
        ImportRequest(path, Columns(date="date"), wide=True, products=("units", "price")),
    ]
    outcomes: Counter[str] = Counter()
    for case in range(CASES):
        path.write_bytes(_spoil(good, case))
        outcome = _outcome(lambda: read_sales(path))
        outcomes[outcome] += 1
        assert examine(path).usable == (outcome == "read"), f"case {case}"
        request = imports[case % 3]
        outcomes["import " + _outcome(partial(import_sales, request))] += 1
    assert outcomes.keys() == {"refused", "read", "import refused", "import read"}
    # Both ends must be reached, or the damage is too heavy or too light to test anything.
    assert outcomes["refused"] > CASES / 2
    assert outcomes["read"] > CASES / 50
    assert outcomes["import read"] > CASES / 50


@pytest.mark.parametrize("name", ["shop.csv.gz", "shop.parquet"])
def test_damaged_archives_never_end_in_a_traceback(
    name: str, tmp_path: Path, small_table: SalesTable
) -> None:
    """The same for packed files, whose damage strikes before there is any text."""
    path = tmp_path / name
    write_sales(small_table, path)
    good = path.read_bytes()
    outcomes: Counter[str] = Counter()
    for case in range(60):
        draw = _seeded(case)
        path.write_bytes(draw.choice([_cut, _nulls, _random_bytes])(good, draw))
        outcomes[_outcome(lambda: read_sales(path))] += 1
    assert outcomes["refused"] > 30
