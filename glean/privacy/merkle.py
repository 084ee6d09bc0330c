"""A hash tree over a list, by which a part of the list is known to be of the whole.

Pieces of bytes come in, a root and proofs go out; a part of the pieces and a proof come in, the
root goes out. `Cohort` goes by it: bakeries that agree on the root agree on every key under it.
Leaves and inner nodes are hashed under different marks, and halves are split as in RFC 6962.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence

from glean.errors import SecureSumError

HASH_BYTES = 32
_LEAF, _NODE = b"\0", b"\1"


class MerkleTree:
    """The tree over a list.

    Parameters
    ----------
    leaves : sequence of bytes
        One at least.
    """

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self._size = len(leaves)
        self._hashes: dict[tuple[int, int], bytes] = {}
        self.root = self._hashed(leaves, 0, self._size)

    def _hashed(self, leaves: Sequence[bytes], low: int, high: int) -> bytes:
        found = (
            _leaf(leaves[low])
            if high - low == 1
            else _node(low, high, lambda one, next_: self._hashed(leaves, one, next_))
        )
        self._hashes[low, high] = found
        return found

    def proof(self, places: Sequence[int]) -> tuple[bytes, ...]:
        """Give the hashes that leaves at some places lack to the root, from left to right.

        Parameters
        ----------
        places : sequence of int
            Ascending, each once.
        """
        return tuple(self._lacking(places, 0, self._size))

    def _lacking(self, places: Sequence[int], low: int, high: int) -> Iterator[bytes]:
        if not _within(places, low, high):
            yield self._hashes[low, high]
        elif high - low > 1:
            middle = _middle(low, high)
            yield from self._lacking(places, low, middle)
            yield from self._lacking(places, middle, high)


def root_of(leaves: Mapping[int, bytes], size: int, proof: Sequence[bytes]) -> bytes:
    """Find the root of a tree of which some leaves are known.

    Parameters
    ----------
    leaves : mapping of int to bytes
        By place, ascending.
    size : int
        How many leaves the tree has.
    proof : sequence of bytes
        As `MerkleTree.proof` gave it for these places.

    Raises
    ------
    SecureSumError
        The proof has too few hashes or too many.
    """
    places, hashes = [*leaves], iter(proof)

    def hashed(low: int, high: int) -> bytes:
        if not _within(places, low, high):
            return next(hashes)
        return _leaf(leaves[low]) if high - low == 1 else _node(low, high, hashed)

    try:
        root = hashed(0, size)
    except StopIteration:
        root = b""
    if not root or next(hashes, None) is not None:
        raise SecureSumError(
            f"proof of a cohort of a secure sum: found {len(proof)} hashes; wanted as many as "
            f"{len(places)} of {size} contributors lack to the root. Nothing is masked"
        )
    return root


def _within(places: Sequence[int], low: int, high: int) -> bool:
    """Whether one of some places is in a range."""
    at = bisect_left(places, low)
    return at < len(places) and places[at] < high


def _middle(low: int, high: int) -> int:
    """Split after the largest power of two that leaves something."""
    return low + (1 << (high - low - 1).bit_length() - 1)


def _node(low: int, high: int, hashed: Callable[[int, int], bytes]) -> bytes:
    middle = _middle(low, high)
    return hashlib.sha256(_NODE + hashed(low, middle) + hashed(middle, high)).digest()


def _leaf(content: bytes) -> bytes:
    return hashlib.sha256(_LEAF + content).digest()
