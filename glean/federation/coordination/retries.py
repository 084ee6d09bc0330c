"""A phase is begun again while nobody who was asked gives a valid reply."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from glean.federation.coordination.client_manager import ClientManager

ATTEMPTS = 3
"""How often a phase is begun."""


@dataclass
class Attempt:
    """One attempt at a phase.

    Parameters
    ----------
    spent : frozenset of str
        Bakeries that were asked in an attempt before, in vain, and aren't to be asked again.
    asked : sequence of str
        Whom the phase asks in this one, noted by the phase itself.
    """

    spent: frozenset[str]
    asked: Sequence[str] = ()


def retries(manager: ClientManager, number: int) -> Iterator[Attempt]:
    """Give attempts at a phase of a round, with others each time, or those that came back.

    A phase returns from the loop as soon as it has what it wants; after the loop it raises
    `manager.failed`.

    Raises
    ------
    FederationError
        Between two attempts, too few bakeries are there for too long.
    """
    spent: set[str] = set()
    for _ in range(ATTEMPTS):
        attempt = Attempt(frozenset(spent))
        yield attempt
        # Who fails or hangs has had its turn; who went may come back and be asked again.
        spent |= {*attempt.asked} - manager.clients.gone
        if attempt.asked and not manager.clients.gone and not manager.clients.present - spent:
            return
        manager.gather(number)
