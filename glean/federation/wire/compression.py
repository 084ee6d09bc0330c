"""Model files on their way: half of one is zeros, and few of its bytes differ from tree to tree."""

from __future__ import annotations

import zlib
from functools import lru_cache

from glean.errors import ModelError

_LEVEL = 1
"""Higher ones take several times as long and save little on trees."""

_MARK = b"\x78"
"""First byte of what zlib writes, and of no model file."""

MOST_BYTES = 2**28
"""More than any model has; what would grow beyond it is an attack."""


@lru_cache(maxsize=64)
def compress(content: bytes) -> bytes:
    """Compress a model file, once for all bakeries that get the same."""
    found = zlib.compress(content, _LEVEL)
    as_it_is = len(found) >= len(content) and not content.startswith(_MARK)
    return content if as_it_is else found


def decompress(content: bytes) -> bytes:
    """Give back what was compressed; other bytes as they are.

    Raises
    ------
    ModelError
        The bytes are damaged, or would grow beyond `MOST_BYTES`.
    """
    if not content.startswith(_MARK):
        return content
    machine = zlib.decompressobj()
    try:
        found = machine.decompress(content, MOST_BYTES)
    except zlib.error as error:
        raise ModelError(f"the message's model can't be unpacked: {error}") from error
    if not machine.eof or machine.unused_data:
        raise ModelError("the message's model is cut short, too large, or has bytes behind it")
    return found
