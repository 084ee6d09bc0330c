"""Sets over a cohort as they travel: bit by bit, or by ranges of places where that is shorter.

Integers whose bits stand for places come in, texts and bytes go out, and the other way round. In
most sums nearly all take part, and ten thousand bakeries then take a dozen bytes and not 1,250.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from glean.errors import SecureSumError

MOST_PLACES = 2**20
"""So that no message makes sets that fill a machine's memory."""

_RANGES = "~"
_BITS_MARK, _RANGES_MARK = b"\0", b"\1"


@lru_cache(maxsize=64)
def set_to_text(bitmap: int) -> str:
    """Write a set for JSON; `set_from_text` reads it.

    Examples
    --------
    >>> set_to_text(0b1011), set_to_text(2**100 - 2**20 + 1)
    ('b', '~0,20-99')
    """
    bits, ranges = f"{bitmap:x}", _RANGES + _ranges(bitmap)
    return bits if len(bits) <= len(ranges) else ranges


@lru_cache(maxsize=64)
def set_from_text(text: str) -> int:
    """Read what `set_to_text` wrote.

    Raises
    ------
    SecureSumError
        It is something else.

    Examples
    --------
    >>> set_from_text("~0,2-3") == set_from_text("d")
    True
    """
    try:
        if text.startswith(_RANGES):
            return _of_ranges(text[1:])
        found = int(text, 16) if len(text) * 4 <= MOST_PLACES else -1
        if found >= 0 and f"{found:x}" == text:
            return found
    except ValueError:
        pass
    raise _error(text)


def set_to_bytes(bitmap: int) -> bytes:
    """Write a set for a message; `set_from_bytes` reads it."""
    bits = bitmap.to_bytes((bitmap.bit_length() + 7) // 8, "big")
    ranges = _ranges(bitmap).encode()
    return _BITS_MARK + bits if len(bits) <= len(ranges) else _RANGES_MARK + ranges


@lru_cache(maxsize=64)
def set_from_bytes(content: bytes) -> int:
    """Read what `set_to_bytes` wrote.

    Raises
    ------
    SecureSumError
        It is something else.
    """
    mark, rest = content[:1], content[1:]
    if mark == _BITS_MARK and len(rest) * 8 <= MOST_PLACES and not rest.startswith(b"\0"):
        return int.from_bytes(rest, "big")
    try:
        if mark == _RANGES_MARK:
            return _of_ranges(rest.decode("ascii"))
    except ValueError:
        pass
    raise _error(content)


def _ranges(bitmap: int) -> str:
    return ",".join(f"{low}" if low == high else f"{low}-{high}" for low, high in _runs(bitmap))


def _runs(bitmap: int) -> Iterator[tuple[int, int]]:
    """Give the runs of places that are in a set, by their first and last place."""
    at = 0
    while bitmap:
        zeros = (bitmap & -bitmap).bit_length() - 1
        bitmap >>= zeros
        ones = (~bitmap & (bitmap + 1)).bit_length() - 1
        bitmap >>= ones
        at += zeros
        yield at, at + ones - 1
        at += ones


def _of_ranges(text: str) -> int:
    """Read ranges, written as `_ranges` does and no other way."""
    found, next_ = 0, 0
    for piece in text.split(",") if text else ():
        low, _, high = piece.partition("-")
        first, last = int(low), int(high or low)
        if not next_ <= first <= last < MOST_PLACES:
            raise ValueError(piece)
        found |= (1 << last + 1) - (1 << first)
        next_ = last + 2
    if _ranges(found) != text:
        raise ValueError(text)
    return found


def _error(found: str | bytes) -> SecureSumError:
    return SecureSumError(
        f"a set of contributors of a secure sum: found {found!r:.60}; wanted bits or ranges of "
        f"places below {MOST_PLACES}"
    )
