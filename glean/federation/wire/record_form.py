"""The form of messages in Flower's records.

`from_record` takes nothing on trust, since a message comes from another machine: a missing or
mistyped field is a `ModelError`.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, Self

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict

from glean.errors import ModelError
from glean.federation.wire.compression import compress, decompress
from glean.federation.wire.packed_form import form_of

_FIELDS = "fields"
_WHOLE = "message"

_MODELS = ("model", "structures", "proposal")
"""Fields that hold model files, which travel compressed."""

_IN_LINE = 2**20
"""Bytes up to which they stand beside the text; Flower sends more of them in pieces."""


@dataclass(frozen=True)
class Flat:
    """A value of plain fields and pieces of bytes."""

    def to_record(self) -> RecordDict:
        """Put the plain fields into one config record, each piece of bytes into an array record."""
        flat: dict[str, Any] = {}
        records: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if item.type == "bytes":
                records[item.name] = ArrayRecord({item.name: _array(_compressed(item.name, value))})
            else:
                flat[item.name] = list(value) if isinstance(value, tuple) else value
        return RecordDict({_FIELDS: ConfigRecord(flat), **records})

    @classmethod
    def from_record(cls, record: RecordDict) -> Self:
        """Read the fields back.

        Raises
        ------
        ModelError
            A field is missing or of the wrong type, or a number isn't finite.
        """
        found: dict[str, Any] = {}
        try:
            flat = _config(record, _FIELDS)
            for item in fields(cls):
                if item.type == "bytes":
                    found[item.name] = _decompressed(item.name, _blob(record, item.name))
                else:
                    found[item.name] = checked_field(item.name, str(item.type), flat[item.name])
        except KeyError as error:
            raise ModelError(f"the message lacks {error}") from error
        return cls(**found)


@dataclass(frozen=True)
class Packed(Flat):
    """The same as one piece of bytes, and large ones beside it: for the many messages of rounds.

    Flower checks every entry of a record by itself, which takes longer than a bakery's sums. How
    the one piece is written, `packed_form` says; large ones aren't copied into it and out again.
    """

    def to_record(self) -> RecordDict:
        """Put all small fields behind each other."""
        values = dict(vars(self))
        for name in _MODELS:
            if name in values:
                values[name] = compress(values[name])
        whole, beside = form_of(type(self)).pack(values)
        if sum(map(len, beside.values())) <= _IN_LINE:
            return _record({_WHOLE: whole, **beside})
        arrays = {name: ArrayRecord({name: _array(content)}) for name, content in beside.items()}
        return RecordDict({_WHOLE: ConfigRecord({_WHOLE: whole}), **arrays})

    @classmethod
    def from_record(cls, record: RecordDict) -> Self:
        """Read the fields back.

        Raises
        ------
        ModelError
            It isn't such a message, is cut or holds something else, or a number isn't finite.
        """
        pieces: dict[str, Any] = {}
        # Not `record.items()`, which copies what is lent: bytes can't be changed.
        for name, part in vars(record)["_data"].items():
            if name == _WHOLE and isinstance(part, ConfigRecord):
                pieces.update(vars(part)["_data"])
            else:
                pieces[name] = _blob(record, name)
        whole = pieces.pop(_WHOLE, None)
        if not all(type(piece) is bytes for piece in (whole, *pieces.values())):
            raise ModelError("the message lacks its one piece of bytes, or has others beside it")
        return cls.from_pieces(whole, *pieces.items())

    @classmethod
    def from_pieces(cls, whole: bytes, *beside: tuple[str, bytes]) -> Self:
        """Read what a record holds.

        Raises
        ------
        ModelError
            As `from_record`.
        """
        values = form_of(cls).unpack(whole, dict(beside))
        for name in _MODELS:
            if name in values:
                values[name] = decompress(values[name])
        return cls(**values)


def config_record(values: Mapping[str, Any]) -> ConfigRecord:
    """Make what Flower's constructor makes of texts, bytes and lists, which need no check of it."""
    config = ConfigRecord()
    vars(config)["_data"].update(values)
    return config


def _record(pieces: dict[str, bytes]) -> RecordDict:
    record = RecordDict()
    vars(record)["_data"][_WHOLE] = config_record(pieces)
    return record


def _compressed(name: str, content: bytes) -> bytes:
    return compress(content) if name in _MODELS else content


def _decompressed(name: str, content: bytes) -> bytes:
    return decompress(content) if name in _MODELS else content


def _config(record: RecordDict, name: str) -> ConfigRecord:
    # Not `record.config_records`, which sorts all records first.
    found = record[name]
    if not isinstance(found, ConfigRecord):
        raise ModelError(f"the message lacks {name!r} as a record of plain values")
    return found


_TYPES = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "tuple[float, ...]": list,
}


def checked_field(name: str, declared: str, value: Any) -> Any:
    """Give the value of a message's plain field as its dataclass declares it.

    Raises
    ------
    ModelError
        It is of another type, or no finite number.
    """
    kind = _TYPES[declared]
    if kind is float:
        return _finite(name, value)
    if type(value) is not kind:
        raise ModelError(f"the message's field {name!r}: found {value!r:.80}; wanted a {declared}")
    return tuple(_finite(name, item) for item in value) if isinstance(value, list) else value


def _finite(name: str, value: Any) -> float:
    try:
        number = float(value) if type(value) in (int, float) else math.nan
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ModelError(
            f"the message's field {name!r}: found {value!r:.80}; wanted finite numbers"
        )
    return number


def _array(content: bytes) -> Array:
    """Put bytes into Flower's array, as it would itself."""
    data = _npy_header(len(content)) + content
    return Array(dtype="uint8", shape=(len(content),), stype="numpy.ndarray", data=data)


def _blob(record: RecordDict, name: str) -> bytes:
    """Take the bytes out of Flower's array without NumPy's reader, which trusts sizes it reads."""
    arrays = record[name]
    if not isinstance(arrays, ArrayRecord) or name not in arrays:
        raise ModelError(f"the message lacks {name!r} as an array")
    data = arrays[name].data
    content = data[_NPY_HEADER_BYTES:]
    if data != _npy_header(len(content)) + content:
        raise ModelError("the message's bytes are damaged: wanted one array of unsigned bytes")
    return content


_NPY_HEADER_BYTES = 128


@lru_cache(maxsize=1024)
def _npy_header(count: int) -> bytes:
    """Header that NumPy writes before `count` unsigned bytes (format 1.0 of `numpy.save`)."""
    header = io.BytesIO()
    described = {"descr": "|u1", "fortran_order": False, "shape": (count,)}
    np.lib.format.write_array_header_1_0(header, described)
    return header.getvalue()


_SIZED = (bytes, str)


def payload_bytes(record: RecordDict) -> int:
    """Size of what a message carries: array data as sent, and the config fields as text."""
    total = 0
    for part in vars(record)["_data"].values():
        for key, value in vars(part)["_data"].items():
            if isinstance(value, _SIZED):
                total += len(key) + len(value)
            elif isinstance(value, Array):
                total += len(value.data)
            else:
                total += len(key) + len(str(value))
    return total
