"""Names that probably mean the same: "Croissant" and "croisant "."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from itertools import combinations

LIKENESS = 0.88
"""From this ratio of `difflib.SequenceMatcher` on two names are nearly the same."""

MOST_NAMES = 300
"""More names aren't compared: every pair is looked at."""

_DIGITS = re.compile(r"\d")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
_BLANKS = re.compile(r"[\W_]+")


def like_names(names: Iterable[str]) -> list[tuple[str, str]]:
    """Find pairs of names that differ in case, blanks, signs or a letter or two.

    Names with digits are like each other only if the digits agree: Bread 1 isn't Bread 2.

    Examples
    --------
    >>> like_names(["Croissant", "croisant ", "Baguette", "Bread 1", "Bread 2"])
    [('Croissant', 'croisant ')]
    """
    plain = {name: _plain(name) for name in sorted(set(names))}
    if len(plain) > MOST_NAMES:
        return []
    return [pair for pair in combinations(plain, 2) if _alike(plain[pair[0]], plain[pair[1]])]


def _plain(name: str) -> str:
    return _BLANKS.sub(" ", name).strip().casefold().translate(_UMLAUTS)


def _alike(one: str, other: str) -> bool:
    if one == other:
        return True
    if min(len(one), len(other)) < 4 or _DIGITS.findall(one) != _DIGITS.findall(other):
        return False
    matcher = difflib.SequenceMatcher(None, one, other, autojunk=False)
    return matcher.real_quick_ratio() >= LIKENESS <= matcher.ratio()
