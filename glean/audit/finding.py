"""One figure of an audit: how often an attack was right, beside what chance gets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95

Mask = NDArray[np.bool_]
Interval = tuple[float, float]


@dataclass(frozen=True)
class Finding:
    """How often an attack was right about the same things, once with a bakery there, once without.

    Parameters
    ----------
    player : str
        Who attacks: "server" or "member".
    attack : str
        What it does, in a few words.
    target : str
        What it is to recover.
    tried : int
        Things to recover.
    there : int
        Of them recovered where the bakery took part.
    not_there : int
        Of the same recovered by the same attack where it did not: chance.
    only_there, only_not_there : int
        Those recovered in one of the two only.
    note : str
        What else a reader has to know; "" for nothing.
    """

    player: str
    attack: str
    target: str
    tried: int
    there: int
    not_there: int
    only_there: int
    only_not_there: int
    note: str = ""

    @classmethod
    def paired(
        cls, player: str, attack: str, target: str, there: Mask, not_there: Mask, note: str = ""
    ) -> Finding:
        """Count what is recovered of the same things, masks of one shape."""
        return cls(
            player,
            attack,
            target,
            tried=there.size,
            there=int(there.sum()),
            not_there=int(not_there.sum()),
            only_there=int((there & ~not_there).sum()),
            only_not_there=int((not_there & ~there).sum()),
            note=note,
        )

    @property
    def interval(self) -> Interval:
        """Interval of the share that is recovered with the bakery there (Wilson, 1927)."""
        return wilson(self.there, self.tried)

    @property
    def chance_interval(self) -> Interval:
        """The same without it."""
        return wilson(self.not_there, self.tried)

    @property
    def significant(self) -> bool:
        """Whether the attack gets more than chance, at `CONFIDENCE`.

        McNemar's exact test (1947) on what only one of the two recovers, two-sided.
        """
        from scipy.stats import binomtest  # slow to import

        differing = self.only_there + self.only_not_there
        if differing == 0 or self.only_there <= self.only_not_there:
            return False
        return bool(binomtest(self.only_there, differing).pvalue < 1.0 - CONFIDENCE)


def wilson(count: int, tried: int) -> Interval:
    """Give the interval of a share, (0, 1) of nothing.

    Examples
    --------
    >>> [round(end, 3) for end in wilson(0, 100)]
    [0.0, 0.037]
    """
    if tried == 0:
        return 0.0, 1.0
    from scipy.stats import binomtest  # slow to import

    found = binomtest(count, tried).proportion_ci(CONFIDENCE, method="wilson")
    return float(found.low), float(found.high)
