"""Strict reader and writer of the Universal Binary JSON that XGBoost 3.2 writes.

Bytes come in, a tree of dictionaries, lists, text, whole numbers and NumPy arrays goes out, and
back. XGBoost's own reader crashes the process on bytes that it can't trust; this one is bounded:
it never allocates more than the bytes it was given can hold and never nests deeper than `DEEPEST`.

The subset, after https://ubjson.org and `src/common/json.cc` of XGBoost: objects without a count,
keys sorted and once each; arrays with a count, either of one type (big-endian 32-bit floats,
32- and 64-bit whole numbers, bytes) or of mixed values; text; signed whole numbers.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from glean.errors import ModelError

Array: TypeAlias = NDArray[Any]
Value: TypeAlias = "str | int | Array | Sequence[Any] | Mapping[str, Any] | Encoded"

DEEPEST = 8
"""Containers in containers; a model file has six."""

_HEADS: dict[bytes, np.dtype[Any]] = {
    b"$d#L": np.dtype(">f4"),
    b"$l#L": np.dtype(">i4"),
    b"$L#L": np.dtype(">i8"),
    b"$U#L": np.dtype("u1"),
}
_WRITTEN = {
    order: (kind, b"[" + head)
    for head, kind in _HEADS.items()
    for order in (kind, kind.newbyteorder("<"))
}
_WHOLE = {
    ord("i"): struct.Struct(">b"),
    ord("I"): struct.Struct(">h"),
    ord("l"): struct.Struct(">i"),
}
_LONG = struct.Struct(">q")


@dataclass(frozen=True)
class Encoded:
    """A value that is written already.

    Parameters
    ----------
    data : bytes
        Its bytes.
    """

    data: bytes


def read(data: bytes) -> dict[str, Any]:
    """Read one object that fills `data` to the last byte.

    Parameters
    ----------
    data : bytes
        A model file.

    Returns
    -------
    dict
        Values are str, int, list, dict, or read-only big-endian arrays that look into `data`.

    Raises
    ------
    ModelError
        Anything that XGBoost 3.2 wouldn't have written: another marker, a size beyond the end,
        a key twice or out of order, text that isn't UTF-8, bytes left over, too deep a nesting.

    Examples
    --------
    >>> read(write({"trees": 3}))
    {'trees': 3}
    """
    reader = _Reader(data)
    if reader.marker() != ord("{"):
        raise reader.damage("no object", "one that begins with '{'", at=0)
    value = reader.object(DEEPEST)
    if reader.at != len(data):
        raise reader.damage(f"{len(data) - reader.at} bytes after the end", "none")
    return value


class _Reader:
    """Bytes and the position up to which they are read."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def damage(self, found: str, wanted: str, *, at: int | None = None) -> ModelError:
        place = self.at if at is None else at
        return ModelError(f"damaged model file at byte {place}: found {found}; wanted {wanted}")

    def marker(self) -> int:
        at = self.at
        if at >= len(self.data):
            raise self.damage("the end", "more: the file is cut short")
        self.at = at + 1
        return self.data[at]

    def number(self, layout: struct.Struct) -> int:
        try:
            (value,) = layout.unpack_from(self.data, self.at)
        except struct.error:
            raise self.damage("the end", "more: the file is cut short") from None
        self.at += layout.size
        return int(value)

    def size(self, width: int) -> int:
        """Read a count of things that take at least `width` bytes each."""
        count = self.number(_LONG)
        if not 0 <= count * width <= len(self.data) - self.at:
            raise self.damage(f"a size of {count}", f"at most {len(self.data) - self.at} bytes")
        return count

    def text(self) -> str:
        """Read text after its marker: a 64-bit size, then UTF-8."""
        end = self.size(1) + self.at
        try:
            found = self.data[self.at : end].decode()
        except UnicodeDecodeError:
            raise self.damage("text that isn't UTF-8", "UTF-8") from None
        self.at = end
        return found

    def object(self, depth: int) -> dict[str, Any]:
        """Read an object after its marker."""
        found: dict[str, Any] = {}
        last = ""
        while (mark := self.marker()) != ord("}"):
            if mark != ord("L"):
                raise self.damage(f"byte {mark}", "a key or '}'")
            key = self.text()
            if key <= last and found:
                raise self.damage(f"key {key!r} after {last!r}", "each key once, in order")
            found[key] = self.value(depth - 1)
            last = key
        return found

    def value(self, depth: int) -> Any:
        mark = self.marker()
        if mark == ord("["):
            return self.array(depth)
        if mark == ord("{"):
            if depth <= 0:
                raise self.damage(f"more than {DEEPEST} levels", "fewer")
            return self.object(depth)
        if mark == ord("S"):
            if self.marker() != ord("L"):
                raise self.damage("text without a 64-bit size", "one")
            return self.text()
        if mark == ord("L"):
            return self.number(_LONG)
        if mark in _WHOLE:
            return self.number(_WHOLE[mark])
        raise self.damage(f"byte {mark}", "a value")

    def array(self, depth: int) -> Array | list[Any]:
        """Read an array after its marker."""
        kind = _HEADS.get(self.data[self.at : self.at + 4])
        if kind is None:
            return self.values(depth)
        self.at += 4
        count = self.size(kind.itemsize)
        typed = np.frombuffer(self.data, kind, count, self.at)
        self.at += count * kind.itemsize
        return typed

    def values(self, depth: int) -> list[Any]:
        head = self.data[self.at : self.at + 2]
        if head != b"#L":
            raise self.damage(f"an array that begins {head!r}", "'#L', or '$' and a known type")
        if depth <= 0:
            raise self.damage(f"more than {DEEPEST} levels", "fewer")
        self.at += 2
        return [self.value(depth - 1) for _ in range(self.size(1))]


def write(value: Value) -> bytes:
    """Write a value the way XGBoost 3.2 does: keys sorted, whole numbers as short as they go.

    Parameters
    ----------
    value : dict, list, str, int, array or Encoded
        Arrays of shape (n,) of float32, int32, int64 or uint8, of either byte order.
    """
    parts: list[bytes] = []
    _collect(value, parts)
    return b"".join(parts)


def _collect(value: Value, parts: list[bytes]) -> None:
    """Append the bytes of a value; joined once in the end, since models have megabytes."""
    if isinstance(value, Encoded):
        parts.append(value.data)
    elif isinstance(value, np.ndarray):
        kind, head = _WRITTEN[value.dtype]
        parts += head, _LONG.pack(value.size), value.astype(kind).tobytes()
    elif isinstance(value, str):
        parts += b"SL", _sized(value)
    elif isinstance(value, Mapping):
        parts.append(b"{")
        for name in sorted(value):
            parts.append(_key(name))
            _collect(value[name], parts)
        parts.append(b"}")
    elif isinstance(value, Sequence):
        parts += b"[#L", _LONG.pack(len(value))
        for item in value:
            _collect(item, parts)
    else:
        parts.append(_whole(value))


@lru_cache(maxsize=256)
def _key(name: str) -> bytes:
    return b"L" + _sized(name)


def _sized(text: str) -> bytes:
    encoded = text.encode()
    return _LONG.pack(len(encoded)) + encoded


def _whole(value: int) -> bytes:
    for marker, bits in ((b"i", 7), (b"I", 15), (b"l", 31)):
        # XGBoost leaves the largest number of each width to the next wider one.
        if abs(value) < (1 << bits) - 1:
            return marker + value.to_bytes((bits + 1) // 8, "big", signed=True)
    return b"L" + _LONG.pack(value)
