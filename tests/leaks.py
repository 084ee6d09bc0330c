"""What must never leave a bakery, and whether a captured message has any of it."""

from __future__ import annotations

import io
import json
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
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

    @property
    def fractions(self) -> Secrets:
        """Leave out whole numbers: by chance they stand in digests, which noise makes anew."""
        return Secrets(self.words, frozenset(n for n in self.numbers if n != round(n)))

    def in_values(self, values: Iterable[Any]) -> list[str]:
        """Name what values of any kind give away, whatever they are wrapped in."""
        atoms = _Atoms()
        atoms.take(list(values))
        found = sorted(atoms.numbers & (self.numbers - _public_numbers()))
        words = [word for word in self.words if atoms.have(word)]
        return [f"number {number!r}" for number in found] + [f"word {word!r}" for word in words]


def values_of(message: Message) -> list[Any]:
    """All that a message holds, for `Secrets.in_values`."""
    if message.has_error():
        return [message.error.reason]
    return values_in(message.content)


def values_in(record: RecordDict) -> list[Any]:
    """All that a record holds."""
    values: list[Any] = [dict(item) for item in record.config_records.values()]
    values += [dict(item) for item in record.metric_records.values()]
    values += [a.data for item in record.array_records.values() for a in item.values()]
    return values


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
        features.mean_28, features.units / features.mean_28,
    ]  # fmt: skip
    numbers = {float(value) for column in columns for value in np.asarray(column, np.float64)}
    numbers |= {float(np.float32(value)) for value in numbers}
    return Secrets(frozenset(words), frozenset(numbers))


@cache
def _public_numbers() -> frozenset[float]:
    definition = FeatureDefinition(1, season=True)
    edges = [bin_edges(name, definition, bins=32) for name in definition.names]
    return frozenset(float(np.float32(edge)) for column in edges for edge in column)


class _Atoms:
    """All numbers and texts in values, out of JSON, model files and arrays as well."""

    def __init__(self) -> None:
        self._arrays: list[NDArray[np.float64]] = [np.empty(0)]
        self._texts: set[str] = set()
        self._contents: set[bytes] = set()

    def take(self, value: Any) -> None:
        """Take a value apart."""
        match value:
            case bool() | None:
                return
            case Mapping():
                self.take([*value.keys(), *value.values()])
            case int() | float() | np.number():
                self._arrays.append(np.array([value], dtype=np.float64))
            case np.ndarray():
                self._arrays.append(value.ravel().astype(np.float64))
            case str() if value not in self._texts:
                self._texts.add(value)
                self._arrays.append(np.array(_NUMBER.findall(value), dtype=np.float64))
                self.take(_out_of_json(value))
            case bytes() | bytearray() if value not in self._contents:
                self._contents.add(bytes(value))
                self.take(_out_of_bytes(bytes(value)))
            case str() | bytes() | bytearray():
                return  # was taken before
            case _:
                for inner in value:
                    self.take(inner)

    @property
    def numbers(self) -> set[float]:
        """The numbers, as they are and in single precision."""
        found = np.unique(np.concatenate(self._arrays))
        with np.errstate(over="ignore"):
            return {*found.tolist(), *found.astype(np.float32).tolist()}

    def have(self, word: str) -> bool:
        """Whether a word is in a text, or its code in bytes."""
        codes = [word.encode(code) for code in ("utf-8", "utf-16-le", "utf-16-be")]
        return word in self._text or any(code in self._content for code in codes)

    @cached_property
    def _text(self) -> str:
        return "\0".join(self._texts)

    @cached_property
    def _content(self) -> bytes:
        return b"\0\0".join(self._contents)


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
