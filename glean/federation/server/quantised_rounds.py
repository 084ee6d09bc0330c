"""What of a round of averaged weights is another one where updates travel in few bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from glean.aggregation import quantised_updates
from glean.errors import FederationError
from glean.federation.coordination.sum_rounds import SumRounds
from glean.federation.coordination.wanted_sum import Check, Encoded
from glean.federation.wire.sum_request import SumRequest
from glean.learning.model_weights import Weights


class QuantisedSteps:
    """The sum of one round.

    Parameters
    ----------
    sum_rounds : SumRounds
        Sums over the clients.
    asked : sequence of str
        Who is in it.

    Raises
    ------
    FederationError
        Sums are made in groups, or some train a part of the weights only.
    """

    def __init__(self, sum_rounds: SumRounds, asked: Sequence[str]) -> None:
        manager = sum_rounds.manager
        if sum_rounds.groups is not None or any(manager.infos[name].in_part for name in asked):
            raise FederationError(
                f"update-bits: found {manager.settings.rounds.update_bits} where sums are made in "
                "groups, or clients have networks of their own; wanted 64"
            )
        self._bits = manager.settings.rounds.update_bits
        self._clients = max(1, len(asked))
        self._all = len(manager.trainers)

    @property
    def partial(self) -> bool:
        """Whether they are some of all who train."""
        return self._clients < self._all

    @property
    def level_count(self) -> int:
        """Levels on each side of 0."""
        return quantised_updates.level_count(self._bits, clients=self._clients, drawn=self.partial)

    def requests(self, given: Mapping[str, SumRequest]) -> dict[str, SumRequest]:
        """Say in the requests what the numbers are relative to, and how many bits they have."""
        scale = (float(self._clients), float(self._all))
        return {
            name: replace(one, scale=scale, word_bits=self._bits) for name, one in given.items()
        }

    def check(self, like: Weights) -> Check:
        """Give what refuses a sum that so many can't have."""

        def check(total: Encoded) -> None:
            quantised_updates.check_steps(
                total, like=like, count=self.level_count, clients=self._clients, drawn=self.partial
            )

        return check

    def stepped(self, total: Encoded, like: Weights) -> Weights:
        """Go on from the global weights."""
        return quantised_updates.stepped(total, like=like, count=self.level_count)
