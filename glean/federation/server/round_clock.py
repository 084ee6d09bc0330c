"""How long a round takes that waits for all, on the clock of a simulation."""

from __future__ import annotations

from dataclasses import replace

from glean.federation.coordination.client_manager import ClientManager
from glean.federation.grids.virtual_clock import ClientSpeeds
from glean.federation.server.round_result import RoundResult


def speeds_of(manager: ClientManager) -> ClientSpeeds:
    """Give the speeds of a run's clients."""
    clock = manager.settings.asynchronous
    return ClientSpeeds(
        manager.settings.seed, manager.trainers, clock.speed_spread, clock.straggler_share
    )


def timed(manager: ClientManager, number: int, result: RoundResult) -> RoundResult:
    """Say how long a round took, where clients are of several speeds: as long as the slowest."""
    simulated = manager.settings.asynchronous.on_clock and not manager.deployed
    if not simulated or result.virtual_seconds is not None:
        return result
    names = result.learned or manager.sample_trainers(number)
    return replace(result, virtual_seconds=speeds_of(manager).slowest(names, number))
