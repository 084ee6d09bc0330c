"""A message's plain fields and short pieces of bytes as one piece of bytes, and back.

First come 8 bytes that tell the kind of message, then as many for each field, little-endian: whole
and real numbers as they are, 0 or 1 for a truth value, the length of what has one. Behind these
lies what has a length: texts in UTF-8, pieces of bytes, real numbers one after the other. Long
pieces stand beside it by their names: a vector is the larger part of most messages, and copied as
seldom as can be.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from glean.errors import ModelError

_REALS = "tuple[float, ...]"
_NUMBERS = {"str": "Q", "bytes": "Q", _REALS: "Q", "int": "q", "float": "d", "bool": "Q"}
_REAL_BYTES = 8

BESIDE = 4096
"""Bytes from which on a piece stands beside the others."""


@dataclass(frozen=True)
class PackedForm:
    """How one kind of message is written.

    Parameters
    ----------
    mark : bytes
        Of no other kind of message.
    kinds : tuple of (str, str)
        Name and type of each field, as it is declared.
    head : struct.Struct
        The mark and the numbers in front.
    """

    mark: bytes
    kinds: tuple[tuple[str, str], ...]
    head: struct.Struct

    def pack(self, values: Mapping[str, Any]) -> tuple[bytes, dict[str, bytes]]:
        """Write the fields: as one piece of bytes, and those that stand beside it."""
        numbers: list[float] = []
        pieces: list[bytes] = []
        beside: dict[str, bytes] = {}
        for name, kind in self.kinds:
            value = values[name]
            if kind not in _HAVE_LENGTH:
                numbers.append(value)
                continue
            if kind == "str":
                value = value.encode()
            length = len(value)
            numbers.append(length)
            if kind == _REALS:
                pieces.append(struct.pack(f"<{length}d", *value))
            elif kind == "str" or length < BESIDE:
                pieces.append(value)
            else:
                beside[name] = value
        return b"".join([self.head.pack(self.mark, *numbers), *pieces]), beside

    def unpack(self, whole: bytes, beside: Mapping[str, bytes]) -> dict[str, Any]:
        """Read what `pack` wrote.

        Raises
        ------
        ModelError
            It is cut or has something behind it, a text isn't one, or a number isn't finite.
        """
        at = self.head.size
        if len(whole) < at:
            raise ModelError(f"the message holds {len(whole)} bytes; wanted {at} or more")
        mark, *numbers = self.head.unpack_from(whole)
        if mark != self.mark:
            raise ModelError("the message is of another kind than the one that is wanted")
        found: dict[str, Any] = {}
        used = 0
        for (name, kind), number in zip(self.kinds, numbers, strict=True):
            if kind not in _HAVE_LENGTH:
                found[name] = _number(name, kind, number)
            elif kind == "bytes" and number >= BESIDE:
                used += 1
                if len(beside.get(name, b"")) != number:
                    raise ModelError(f"the message's field {name!r} lacks its {number} bytes")
                found[name] = beside[name]
            else:
                start, at = at, at + number * (_REAL_BYTES if kind == _REALS else 1)
                # Before anything of that size is made.
                if at > len(whole):
                    raise ModelError(f"the message's field {name!r} is cut short")
                found[name] = _piece(name, kind, whole[start:at])
        if at != len(whole) or used != len(beside):
            raise ModelError(
                f"the message holds {len(whole)} bytes and {len(beside)} pieces beside them; "
                f"wanted {at} and {used}"
            )
        return found


_HAVE_LENGTH = frozenset({"str", "bytes", _REALS})


_FORMS: dict[type[Any], PackedForm] = {}


def form_of(kind: type[Any]) -> PackedForm:
    """Give the form of a dataclass of such fields, worked out once."""
    if kind not in _FORMS:
        kinds = tuple((item.name, str(item.type)) for item in fields(kind))
        head = "<8s" + "".join(_NUMBERS[of_type] for _, of_type in kinds)
        mark = hashlib.sha256(repr((kind.__name__, kinds)).encode()).digest()[:8]
        _FORMS[kind] = PackedForm(mark, kinds, struct.Struct(head))
    return _FORMS[kind]


def _piece(name: str, kind: str, content: bytes) -> Any:
    if kind == "bytes":
        return content
    if kind == "str":
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            raise ModelError(f"the message's field {name!r} is no text: {error}") from error
    reals = struct.unpack(f"<{len(content) // _REAL_BYTES}d", content)
    return tuple(_number(name, "float", real) for real in reals)


def _number(name: str, kind: str, number: float) -> Any:
    if kind == "bool":
        if number not in (0, 1):
            raise ModelError(f"the message's field {name!r}: found {number}; wanted 0 or 1")
        return number == 1
    if not math.isfinite(number):
        raise ModelError(f"the message's field {name!r}: found {number}; wanted finite numbers")
    return number
