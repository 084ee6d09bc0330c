"""Shamir's scheme for self-masks, whose shares neighbours derive and nobody has to send.

A seed and the tokens that its bakery has in common with each neighbour come in, corrections go
out; tokens that were revealed and corrections come in, the seed goes out. The polynomial goes
through the seed and through all tokens but as many as may be lacking: so it is as random as the
tokens are. A share is a token, or a token and its public correction. `SecAggClient` corrects,
`SecAggRound` reconstructs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from operator import mul, sub

SHARE_BYTES = 16
"""Of a self-mask's seed, of a token, of a correction and of a commitment."""

FIELD = 2**127 - 1
"""A prime just below 16 bytes; self-mask seeds and their shares are residues of it."""


def corrections(seed: int, tokens: Sequence[bytes], *, needed: int) -> tuple[bytes, ...]:
    """Share a seed among those who have a token each.

    Any `needed` of the tokens give the seed, with the corrections; fewer tell nothing about it:
    tokens are uniform to who lacks them, so each correction hides a share as a one-time pad does.

    Parameters
    ----------
    seed : int
        A residue of the field.
    tokens : sequence of bytes
        Of the holders, numbered from 1.
    needed : int
        How many are to suffice.

    Returns
    -------
    tuple of bytes
        For each holder from the `needed`-th on what its token lacks to its share.
    """
    values = [int.from_bytes(token, "big") for token in tokens]
    differences = _differences([seed, *values[: needed - 1]])
    found = []
    for value in values[needed - 1 :]:
        differences = list(accumulate(differences))
        found.append(((differences[-1] - value) % FIELD).to_bytes(SHARE_BYTES, "big"))
    return tuple(found)


def reconstruct_seed(
    tokens: Mapping[int, bytes],
    corrected: Sequence[bytes],
    *,
    needed: int,
    fits: Callable[[int], bool],
) -> int | None:
    """Find a seed from tokens.

    Parameters
    ----------
    tokens : mapping of int to bytes
        Those that are known, by their holder's number from 1.
    corrected : sequence of bytes
        What `corrections` gave.
    needed : int
        How many are needed.
    fits : callable
        Whether a number is the seed.

    Returns
    -------
    int or None
        The seed; None when there are too few tokens, or too many of them are wrong.
    """
    points = sorted(tokens)
    if len(points) < needed:
        return None
    for start in range(len(points)):  # the first window does unless a token is wrong
        window = tuple((points[start:] + points[:start])[:needed])
        shares = (_share(number, tokens[number], corrected, needed) for number in window)
        seed: int = sum(map(mul, _weights(window, 0), shares)) % FIELD
        if fits(seed):
            return seed
        if len(points) == needed:
            break
    return None


def _share(number: int, token: bytes, corrected: Sequence[bytes], needed: int) -> int:
    value = int.from_bytes(token, "big")
    return value + int.from_bytes(corrected[number - needed], "big") if number >= needed else value


def _differences(values: list[int]) -> list[int]:
    """Give the backward differences of a polynomial at the last of its values, highest first.

    Their running sums are those at the next value, by Newton: so a further value of the polynomial
    takes as many additions as it has coefficients, and no product.
    """
    found = []
    while values:
        found.append(values[-1])
        values = list(map(sub, values[1:], values))
    return found[::-1]


@lru_cache(maxsize=1024)
def _weights(points: tuple[int, ...], at: int) -> tuple[int, ...]:
    """Give Lagrange's weights: what the values at some points count for the value at another."""
    found = []
    for point in points:
        above = below = 1
        for other in points:
            if other != point:
                above = above * (at - other) % FIELD
                below = below * (point - other) % FIELD
        found.append(above * pow(below, -1, FIELD) % FIELD)
    return tuple(found)
