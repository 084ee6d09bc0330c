"""How long a simulation's clients take, on a clock that nobody waits for.

A second is what the fastest client takes for the training of a round. How slow each is, and in
which rounds it straggles, follows from the run's seed and its name: so the same seed gives the same
order of arrivals, and synchronous and asynchronous runs are compared on the same clock. Scoring,
messages and the server's own work take no time on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from glean.seeds import SEED_LIMIT, derived_seed

STRAGGLES = 5.0
"""A straggler takes so many times as long as else."""


@dataclass(frozen=True)
class ClientSpeeds:
    """The speeds of a simulation's clients.

    Parameters
    ----------
    seed : int
        The run's.
    clients : tuple of str
        Their names.
    spread : float
        How many times as long the slowest takes as the fastest; the others are between them,
        evenly in the logarithm, in an order that is drawn.
    straggler_share : float
        Share of the trainings that take `STRAGGLES` times as long.

    Examples
    --------
    >>> speeds = ClientSpeeds(42, ("Rue Mouffetard", "Place Monge", "Gobelins"), 9.0)
    >>> sorted(speeds.seconds(name, 1) for name in speeds.clients)
    [1.0, 3.0, 9.0]
    """

    seed: int
    clients: tuple[str, ...]
    spread: float = 1.0
    straggler_share: float = 0.0

    def seconds(self, client: str, number: int) -> float:
        """Say how long a client takes for a training that it begins in a round."""
        slowness = self.spread ** _places(self.seed, self.clients)[client]
        straggles = drawn_share(self.seed, "straggles", client, number) < self.straggler_share
        return float(slowness * (STRAGGLES if straggles else 1.0))

    def slowest(self, clients: Iterable[str], number: int) -> float:
        """Say how long a round takes that waits for all of some clients; 0 for nobody."""
        return max((self.seconds(client, number) for client in clients), default=0.0)


def drawn_share(seed: int, *purpose: str | int) -> float:
    """Draw a number from 0 to below 1 for a purpose."""
    return derived_seed(seed, *purpose) / SEED_LIMIT


@lru_cache(maxsize=4)
def _places(seed: int, clients: tuple[str, ...]) -> Mapping[str, float]:
    """Put clients between 0, the fastest, and 1, the slowest."""
    order = sorted(clients, key=lambda name: (drawn_share(seed, "speed", name), name))
    return {name: place / max(1, len(order) - 1) for place, name in enumerate(order)}
