"""Names that probably mean the same: "Croissant" and "croisant "."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

LIKENESS = 0.88
"""From this ratio of `difflib.SequenceMatcher` on two names are nearly the same."""

MOST_NAMES = 5000
"""More names aren't compared: that would take longer than all the rest."""

LETTER_KINDS = 64
"""Letters are counted in so many kinds; two that share one make a pair only seem more alike."""

_DIGITS = re.compile(r"\d")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
_BLANKS = re.compile(r"[\W_]+")


def like_names(names: Iterable[str]) -> list[tuple[str, str]]:
    """Find pairs of names that differ in case, blanks, signs or a letter or two.

    Names with digits are like each other only if the digits agree: Bread 1 isn't Bread 2. Of more
    than `MOST_NAMES` names none are compared.

    Examples
    --------
    >>> like_names(["Croissant", "croisant ", "Baguette", "Bread 1", "Bread 2"])
    [('Croissant', 'croisant ')]
    """
    plain = {name: _plain(name) for name in sorted(set(names))}
    if len(plain) > MOST_NAMES:
        return []
    by_digits: dict[str, list[str]] = {}
    for name, text in plain.items():
        by_digits.setdefault(" ".join(_DIGITS.findall(text)), []).append(name)
    found = [pair for block in by_digits.values() for pair in _like_in(block, plain)]
    return sorted(found)


def _like_in(block: list[str], plain: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Compare names with the same digits: letters are counted first, which is quick."""
    counts = np.array([_letter_counts(plain[name]) for name in block])
    lengths = counts.sum(axis=1)
    for at, name in enumerate(block):
        rest = np.arange(at + 1, len(block))
        shared = np.minimum(lengths[rest], lengths[at])
        near = rest[2 * shared >= LIKENESS * (lengths[rest] + lengths[at])]
        shared = np.minimum(counts[near], counts[at]).sum(axis=1)
        near = near[2 * shared >= LIKENESS * (lengths[near] + lengths[at])]
        for other in near:
            if _alike(plain[name], plain[block[other]]):
                yield name, block[other]


def _letter_counts(text: str) -> NDArray[np.int64]:
    kinds = np.array([ord(letter) % LETTER_KINDS for letter in text], dtype=np.int64)
    return np.bincount(kinds, minlength=LETTER_KINDS)


def _plain(name: str) -> str:
    return _BLANKS.sub(" ", name).strip().casefold().translate(_UMLAUTS)


def _alike(one: str, other: str) -> bool:
    if one == other:
        return True
    if min(len(one), len(other)) < 4:
        return False
    return difflib.SequenceMatcher(None, one, other, autojunk=False).ratio() >= LIKENESS
