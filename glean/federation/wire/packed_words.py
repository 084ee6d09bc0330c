"""Vectors of whole numbers in fewer bits than 64: only the lowest of each word travel.

Sums and masks are modulo 2**64. The lowest b bits of such a sum are the sum modulo 2**b of the
lowest bits, masked or not: so what is small enough for b bits is summed by them alone, and a mask
hides as much of it as ever.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glean.errors import ModelError

Encoded = NDArray[np.int64]

WORD_BITS = 64
_WORD_BYTES = 8


def pack(vector: bytes, bits: int) -> bytes:
    """Keep the lowest bits of each word of 64.

    Parameters
    ----------
    vector : bytes
        Words of eight bytes, the lowest first.
    bits : int
        How many of each.

    Examples
    --------
    >>> len(pack(bytes(80), 12))
    15
    """
    if bits == WORD_BITS:
        return vector
    words = np.frombuffer(vector, dtype=np.uint8).reshape(-1, _WORD_BYTES)
    kept = words[:, : -(-bits // 8)]
    if bits % 8 == 0:
        return kept.tobytes()
    single = np.unpackbits(kept, axis=1, bitorder="little")[:, :bits]
    return np.packbits(single.ravel(), bitorder="little").tobytes()


def pack_end(content: bytes, bits: int, length: int) -> bytes:
    """Pack the words at the end of some bytes; what stands before them stays."""
    head = len(content) - _WORD_BYTES * length
    return content[:head] + pack(content[head:], bits)


def unpack_end(content: bytes, bits: int, length: int) -> bytes:
    """Read what `pack_end` wrote.

    Raises
    ------
    ModelError
        There aren't so many numbers.
    """
    head = max(0, len(content) - -(-bits * length // 8))
    return content if bits == WORD_BITS else content[:head] + unpack(content[head:], bits, length)


def unpack(content: bytes, bits: int, length: int) -> bytes:
    """Read what `pack` wrote; the top bit that it kept is the sign.

    Raises
    ------
    ModelError
        It isn't of so many numbers.
    """
    if bits == WORD_BITS:
        return content
    size = -(-bits * length // 8)
    if len(content) != size:
        raise ModelError(
            f"found a vector of {len(content)} bytes; wanted {size}, which are {length} numbers of "
            f"{bits} bits"
        )
    words = np.zeros((length, _WORD_BYTES), dtype=np.uint8)
    found = np.frombuffer(content, dtype=np.uint8)
    if bits % 8 == 0:
        words[:, : bits // 8] = found.reshape(length, bits // 8)
    else:
        single = np.unpackbits(found, bitorder="little", count=bits * length).reshape(length, bits)
        words[:, : -(-bits // 8)] = np.packbits(single, axis=1, bitorder="little")
    return signed(words.view("<i8").ravel(), bits).tobytes()


def signed(total: Encoded, bits: int) -> Encoded:
    """Read sums of which only the lowest bits are known: the top one of them is the sign.

    Examples
    --------
    >>> signed(np.array([3, 15, 16 + 8]), 4).tolist()
    [3, -1, -8]
    """
    if bits == WORD_BITS:
        return total
    shift = np.uint64(WORD_BITS - bits)
    found: Encoded = (total.view(np.uint64) << shift).view(np.int64) >> shift.astype(np.int64)
    return found
