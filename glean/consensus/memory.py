"""What a voter must not forget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from glean.consensus.state_version import NOTHING, Version


@dataclass(frozen=True)
class Promise:
    """What a voter has promised others, and has on disk.

    Parameters
    ----------
    term : int
        The highest term that it has heard of.
    voted_for : str
        Whom it has voted for in that term; "" for nobody.
    version : Version
        The state that it has stored.
    """

    term: int = 0
    voted_for: str = ""
    version: Version = NOTHING


class Memory(Protocol):
    """Keeps a promise."""

    def load(self) -> Promise:
        """Give what was saved last; an empty promise before."""

    def save(self, promise: Promise) -> None:
        """Keep a promise; on disk when this returns."""
