"""Some bakeries propose structures of trees, which all then sum up the leaves of."""

from __future__ import annotations

from collections.abc import Sequence

from glean.aggregation import refit
from glean.errors import FederationError, ModelError
from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.global_model import GlobalModel
from glean.federation.coordination.reply_checks import TreeChecks
from glean.federation.coordination.retries import retries
from glean.federation.coordination.sum_rounds import SumRounds
from glean.federation.server.first_model import tree_layout
from glean.federation.wire.sum_request import SumRequest
from glean.learning.forest import Forest
from glean.seeds import derived_seed, draw


class StructureProposals:
    """Has bakeries propose.

    Parameters
    ----------
    manager : ClientManager
        The bakeries.
    sum_rounds : SumRounds
        By which they are asked.
    """

    def __init__(self, manager: ClientManager, sum_rounds: SumRounds) -> None:
        self._manager = manager
        self._sum_rounds = sum_rounds
        self._checks = TreeChecks(manager.settings, manager.spec, tree_layout(manager))

    def trainers(self, number: int, spent: frozenset[str] = frozenset()) -> list[str]:
        """Name who of the round's draw is left; another draw is another round's."""
        return [name for name in self._manager.sample_trainers(number) if name not in spent]

    def structures(self, number: int, model: GlobalModel) -> Forest:
        """Have some of the bakeries propose trees; all their structures, in order of the names.

        Raises
        ------
        FederationError
            Nobody gave a valid reply.
        """
        seed = derived_seed(self._manager.settings.seed, "proposals", number)
        most = self._manager.settings.rounds.proposals_per_round
        for attempt in retries(self._manager, number):
            there = self.trainers(number, attempt.spent)
            attempt.asked = draw(there, min(most, len(there)), seed=seed)
            proposals = self._proposals(number, model, attempt.asked)
            if proposals:
                return refit.joined(proposals)
        raise self._manager.failed(f"the proposals of round {number}")

    def _proposals(self, number: int, model: GlobalModel, asked: Sequence[str]) -> list[Forest]:
        requests = {name: SumRequest(proposes=True) for name in asked}
        result = self._sum_rounds.run(number, model, requests, length=0)
        found: list[Forest] = []
        for name, reply in result.replies.items():
            try:
                found.append(self._checks.structure_of(reply))
                self._manager.devices.add(reply.device)
            except (ModelError, FederationError) as error:
                self._manager.clients.report_failure(name, str(error), round_number=number)
        return found
