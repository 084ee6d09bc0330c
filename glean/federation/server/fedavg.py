"""Rounds of `fedavg`: weights after local training, averaged by one sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from glean.aggregation import fedavg
from glean.aggregation.clipped_updates import check_updates, mean_update
from glean.errors import FederationError, ImpossibleSumError
from glean.federation.coordination.global_model import GlobalModel, WeightModel
from glean.federation.coordination.retries import retries
from glean.federation.coordination.sum_noise import noise_among
from glean.federation.coordination.wanted_sum import Check, Encoded
from glean.federation.server.first_model import first_weights
from glean.federation.server.pipelined import PiggybackedEvaluation, PipelinedStrategy
from glean.federation.server.quantised_rounds import QuantisedSteps
from glean.federation.server.round_result import RoundResult
from glean.federation.wire.opened_cohorts import TRAINING
from glean.federation.wire.packed_words import WORD_BITS
from glean.federation.wire.sum_request import (
    CLIENT_STEPS,
    QUANTISED_STEPS,
    WEIGHT_STEPS,
    WEIGHTS,
    WHOLE,
    SumRequest,
)
from glean.learning.model_weights import Weights
from glean.privacy.noise_budget import relied_on


class FedAvgStrategy(PipelinedStrategy):
    """Sums weights times the bakeries' own weight, and divides by the sum of these.

    With a floor under what is opened, and somebody missing of those whose own weights were summed
    up: sums what training changed, and divides by the weight of all. Where noise hides whole
    clients: sums clipped updates with noise, in which all weigh the same.
    """

    def first_model(self) -> WeightModel:
        """Draw the weights before the first round."""
        return first_weights(self._manager)

    def _train(
        self, number: int, model: GlobalModel, state: bytes, evaluation: PiggybackedEvaluation
    ) -> RoundResult:
        assert isinstance(model, WeightModel), "fedavg averages weights"
        if self._settings.noise.by_client:
            return self._train_noised(number, model, state)
        for attempt in retries(self._manager, number):
            evaluation.without = attempt.spent
            part, asked = self._learners(
                self._manager.sample_trainers(number, without=attempt.spent)
            )
            attempt.asked = asked
            length = fedavg.encoded_length(model.weights) - (part != WEIGHTS)
            steps = QuantisedSteps(self._sum_rounds, asked) if part == QUANTISED_STEPS else None
            if steps and evaluation.parts:
                evaluation.wanted = False  # they want all bits, and come by themselves
            requests = self._with_whole(
                self._requests(part, asked, evaluation, number=number), asked, number
            )
            requests = steps.requests(requests) if steps else requests
            result = self._sum_rounds.run(
                number,
                model,
                requests,
                length=length + evaluation.length,
                check=steps.check(model.weights)
                if steps
                else self._check(part, model, length, asked, number),
            )
            evaluation.take(result)
            if result.absent:
                attempt.asked = sorted(result.absent)
            learned = [name for name in asked if name in result.replies]
            self._manager.devices |= {result.replies[name].device for name in learned} - {""}
            if learned:
                mean = (
                    steps.stepped(result.total, model.weights)
                    if steps
                    else self._mean(part, result.total[:length], model.weights, number)
                )
                weights, state = self._next(mean, model.weights, state)
                return RoundResult(
                    WeightModel(weights),
                    len(asked),
                    len(learned),
                    state,
                    learned=dict.fromkeys(learned, 0),
                )
        raise self._manager.failed(f"the train phase of round {number}")

    def _mean(self, part: str, total: Encoded, before: Weights, number: int) -> Weights:
        """Read the clients' mean, or the step that they take, from a sum."""
        rows = self._sum_rounds.totals(number).rows
        make = fedavg.stepped if part == WEIGHT_STEPS else fedavg.mean
        return make(total, like=before, rows=rows)

    def _roster(self) -> int:
        """Count those who may be in a sum with noise: their noise together is what is accounted."""
        return len(self._manager.trainers)

    def _fewest(self) -> int:
        """Count the vectors without which a sum with noise stays unopened."""
        return relied_on(self._roster())

    def _train_noised(self, number: int, model: WeightModel, state: bytes) -> RoundResult:
        """Average clipped updates with noise over all who can learn."""
        roster = self._roster()
        clip_norm = self._settings.local_training.update_clip_norm
        noise = noise_among(self._sum_rounds, CLIENT_STEPS, roster)
        request = SumRequest((CLIENT_STEPS,), (CLIENT_STEPS,), num_clients=roster)

        def check(total: Encoded) -> None:
            check_updates(
                total, like=model.weights, clip_norm=clip_norm, clients=roster, noise=noise
            )

        for attempt in retries(self._manager, number):
            attempt.asked = asked = self._manager.sample_trainers(number, without=attempt.spent)
            result = self._sum_rounds.run(
                number,
                model,
                dict.fromkeys(asked, request),
                length=fedavg.encoded_length(model.weights) - 1,
                at_least=self._fewest(),
                check=check,
            )
            learned = [name for name in asked if name in result.replies]
            self._manager.devices |= {result.replies[name].device for name in learned} - {""}
            if learned:
                mean = mean_update(
                    result.total, like=model.weights, clip_norm=clip_norm, clients=len(learned)
                )
                weights, state = self._next(mean, model.weights, state)
                return RoundResult(
                    WeightModel(weights),
                    len(asked),
                    len(learned),
                    state,
                    learned=dict.fromkeys(learned, 0),
                )
        raise self._manager.failed(f"the train phase of round {number}")

    def _with_whole(
        self, requests: dict[str, SumRequest], asked: Sequence[str], number: int
    ) -> dict[str, SumRequest]:
        """Where some train a part of the weights, have it said who trains all of them.

        These alone stand behind the rest of the weights, so that they are as many as the floor;
        each client holds that, as of any part of the vector.

        Raises
        ------
        ImpossibleSumError
            They are too few.
        FederationError
            Sums are made in groups, of which each would need as many.
        """
        whole = {name for name in asked if not self._manager.infos[name].in_part}
        if len(whole) == len(asked):
            return requests
        if self._sum_rounds.groups is not None:
            raise FederationError(
                "adapt-weights: found clients with networks of their own in sums of groups, whose "
                "median would count what they don't train; wanted clients with the run's network, "
                "or fewer than six times min-contributors"
            )
        if len(whole) < (floor := self._sum_rounds.cohorts.floor):
            raise ImpossibleSumError(
                f"round {number}: found {len(whole)} clients that train the run's whole network; "
                f"wanted {floor}, as min-contributors says: what the others don't train would be a "
                "sum of few"
            )
        return {
            name: replace(
                one,
                parts=(*one.parts, WHOLE),
                contributes=(*one.contributes, *[WHOLE] * (name in whole)),
            )
            for name, one in requests.items()
        }

    def _next(self, mean: Weights, before: Weights, state: bytes) -> tuple[Weights, bytes]:
        """Go on from the mean: it is the next model, and there is no state."""
        del before
        return mean, state

    def _check(
        self, part: str, model: WeightModel, length: int, asked: Sequence[str], number: int
    ) -> Check:
        bounds = self._sum_rounds.bounds(number, asked)
        check = bounds.check_weight_steps if part == WEIGHT_STEPS else bounds.check_weights
        return lambda total: check(total[:length], like=model.weights)

    def _learners(self, there: Sequence[str]) -> tuple[str, Sequence[str]]:
        """Say which sum is made, and over whom."""
        if self._settings.rounds.update_bits < WORD_BITS:
            return QUANTISED_STEPS, there
        cohorts = self._sum_rounds.cohorts
        if chosen := cohorts.choose(TRAINING, there, there=there):
            return WEIGHTS, chosen
        return WEIGHT_STEPS, cohorts.left_of(TRAINING, there)
