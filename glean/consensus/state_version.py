"""Which state of a replica: by the term of the coordinator that made it, then by its number."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Version:
    """A state that contains all before it in its history.

    Parameters
    ----------
    term : int
        Of the coordinator that made it; 0 is no state.
    index : int
        How many states there were before it in its history, and itself.
    """

    term: int = 0
    index: int = 0


NOTHING = Version()
"""Before the first."""
