"""How much is asked for at the same time: by each member, and by whoever proves nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from glean.service.gateway.refusals import busy

MOST_OF_A_MEMBER, MOST_AT_ONCE = 96, 256
"""Calls of a member, and requests of all, at the same time: a batch has up to 64 calls."""

MOST_OF_AN_ADDRESS, MOST_UNPROVED = 16, 64
"""The same of requests whose head proves nothing: of Flower's own nodes, or of somebody else."""


class AtWork:
    """Counts what is at work."""

    def __init__(self) -> None:
        self._proved: Counter[str] = Counter()
        self._unproved: Counter[str] = Counter()
        self._calls: Counter[str] = Counter()

    @contextmanager
    def of_member(self, bakery: str) -> Iterator[None]:
        """Count a request of a member's, whose head was proved.

        Raises
        ------
        GatewayRefusalError
            There are too many.
        """
        with self.calls(bakery, 1), _counted(self._proved, bakery, MOST_OF_A_MEMBER, MOST_AT_ONCE):
            yield

    @contextmanager
    def of_address(self, address: str) -> Iterator[None]:
        """Count a request that nobody has proved to be a member's.

        Raises
        ------
        GatewayRefusalError
            There are too many.
        """
        with _counted(self._unproved, address, MOST_OF_AN_ADDRESS, MOST_UNPROVED):
            yield

    @contextmanager
    def calls(self, bakery: str, number: int) -> Iterator[None]:
        """Count calls of a member's beside those that are at work.

        Raises
        ------
        GatewayRefusalError
            There are too many.
        """
        if self._calls[bakery] + number > MOST_OF_A_MEMBER:
            raise busy("too many requests at the same time")
        self._calls[bakery] += number
        try:
            yield
        finally:
            self._calls[bakery] -= number
            self._calls += Counter()  # without those that are zero


@contextmanager
def _counted(counts: Counter[str], who: str, most: int, in_all: int) -> Iterator[None]:
    if counts[who] >= most or counts.total() >= in_all:
        raise busy("too many requests at the same time")
    counts[who] += 1
    try:
        yield
    finally:
        counts[who] -= 1
        if not counts[who]:
            del counts[who]
