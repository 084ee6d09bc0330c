"""What shall be rehearsed."""

from __future__ import annotations

from dataclasses import dataclass

FEWEST, MOST = 3, 20
"""Bakeries: masks want three; each takes some 300 MB."""


@dataclass(frozen=True)
class RehearsalPlan:
    """What shall be rehearsed.

    Parameters
    ----------
    bakeries : int
        How many shops, each with a synthetic table.
    rounds : int
        How many rounds the run has.
    pages : bool
        Whether each shop has its page too.
    """

    bakeries: int = 5
    rounds: int = 3
    pages: bool = True
