"""What must never leave a bakery, and whether a captured message has any of it."""

from __future__ import annotations

import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from flwr.app import Message, RecordDict
from numpy.typing import NDArray

from glean.errors import ModelError
from glean.features.bins import bin_edges
from glean.features.definition import FeatureDefinition
from glean.features.matrix import build_features
from glean.learning import ubj
from glean.sales.table import SalesTable

_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_NPY = b"\x93NUMPY"
_ZIP = b"PK"
_NPY_HEADER_BYTES = 128


@dataclass(frozen=True)
class Secrets:
    """Words and numbers of one bakery that no message may hold.

    A number is looked for as it is and in single precision, so it should have decimals enough not
    to occur by chance.
    """

    words: frozenset[str]
    numbers: frozenset[float]

    def __or__(self, other: Secrets) -> Secrets:
        return Secrets(self.words | other.words, self.numbers | other.numbers)

    def in_message(self, message: Message) -> list[str]:
        """Name what a message gives away."""
        if message.has_error():
            return self.in_values([message.error.reason])
        return self.in_record(message.content)

    def in_record(self, record: RecordDict) -> list[str]:
        """Name what a record gives away."""
        values: list[Any] = [dict(item) for item in record.config_records.values()]
        values += [dict(item) for item in record.metric_records.values()]
        values += [a.data for item in record.array_records.values() for a in item.values()]
        return self.in_values(values)

    def in_values(self, values: Iterable[Any]) -> list[str]:
        """Name what values of any kind give away, whatever they are wrapped in."""
        found = []
        kept = self.numbers - _public_numbers()
        with np.errstate(over="ignore"):
            for atom in _atoms(list(values)):
                if isinstance(atom, np.ndarray):
                    numbers = {*atom.tolist(), *atom.astype(np.float32).tolist()}
                    found += [f"number {number!r}" for number in numbers & kept]
                else:
                    found += [f"word {word!r}" for word in self.words if _holds(atom, word)]
        return found


def secrets_of(table: SalesTable, paths: Iterable[Path] = ()) -> Secrets:
    """What one bakery keeps: its days, products, paths; every row's, day's, product's numbers."""
    rows = table.rows
    dates = pd.DatetimeIndex(rows["date"].unique())
    words = {str(day.date()) for day in dates} | set(rows["product"].astype(str))
    words |= {str(path) for path in paths} | {path.name for path in paths}
    features = build_features(table, FeatureDefinition(1, season=False))
    by_product = rows.groupby("product")["units"]
    columns = [
        rows["units"], rows.groupby("date")["units"].sum(), by_product.sum(), by_product.mean(),
        features.level, features.y, features.units / features.level,
    ]  # fmt: skip
    numbers = {float(value) for column in columns for value in np.asarray(column, np.float64)}
    numbers |= {float(np.float32(value)) for value in numbers}
    return Secrets(frozenset(words), frozenset(numbers))


@cache
def _public_numbers() -> frozenset[float]:
    definition = FeatureDefinition(1, season=True)
    edges = [bin_edges(name, definition, bins=32) for name in definition.names]
    return frozenset(float(np.float32(edge)) for column in edges for edge in column)


def _holds(text: str | bytes, word: str) -> bool:
    if isinstance(text, str):
        return word in text
    return any(word.encode(code) in text for code in ("utf-8", "utf-16-le", "utf-16-be"))


def _atoms(value: Any) -> Iterator[NDArray[np.float64] | str | bytes]:
    """All numbers and texts in a value, out of JSON, model files and arrays as well."""
    match value:
        case Mapping():
            for key, inner in value.items():
                yield from _atoms(key)
                yield from _atoms(inner)
        case bool() | None:
            return
        case int() | float() | np.number():
            yield np.array([value], dtype=np.float64)
        case np.ndarray():
            yield value.ravel().astype(np.float64)
        case str():
            yield value
            yield np.array(_NUMBER.findall(value), dtype=np.float64)
            yield from _atoms(_out_of_json(value))
        case bytes() | bytearray():
            yield bytes(value)
            yield from _atoms(_out_of_bytes(bytes(value)))
        case _:
            for inner in value:
                yield from _atoms(inner)


def _out_of_json(text: str) -> Any:
    if not text.startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def _out_of_bytes(data: bytes) -> Any:
    if data.startswith(_NPY):
        found = np.load(io.BytesIO(data), allow_pickle=False)
        # Glean wraps a model file in an array of bytes.
        return found.tobytes() if found.dtype == np.uint8 else found
    if data.startswith(b"\x78"):
        try:
            return zlib.decompress(data)
        except zlib.error:
            return None
    if data.startswith(_ZIP):
        return dict(np.load(io.BytesIO(data), allow_pickle=False))
    try:
        return ubj.read(data)
    except ModelError:
        return None
