"""The rounds: bakeries train, the server merges, bakeries score; the best model is kept.

A round whose sums can't be is given up, one that made the model worse beyond chance taken back: the
next goes on from the model before. After some of them in a row the training ends.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

from glean.errors import ImpossibleSumError
from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.exchange import TEST, TEST_START
from glean.federation.coordination.global_model import GlobalModel
from glean.federation.coordination.grouped_sums import sums_of
from glean.federation.coordination.noised_scores import NoisedScores
from glean.federation.server.final_evaluation import FinalEvaluation
from glean.federation.server.lost_rounds import first_model_better
from glean.federation.server.model_files import write_checkpoint
from glean.federation.server.round_clock import timed
from glean.federation.server.round_result import RoundResult
from glean.federation.server.round_rows import RoundStart, write_round
from glean.federation.server.round_scores import RoundScore, RoundScores
from glean.federation.server.setbacks import primaries, setback
from glean.federation.server.state_file import write_state
from glean.federation.server.strategy import strategy_of
from glean.federation.server.training_state import TrainingState
from glean.federation.wire.final_test_sums import Floats
from glean.federation.workload.registry import workload_of
from glean.runs.phase_events import Phase
from glean.runs.setback_events import RoundGivenUp, RoundTakenBack, Setback

LOG = logging.getLogger("glean")


@dataclass(frozen=True)
class TrainingResult:
    """What the rounds came to.

    Parameters
    ----------
    model : GlobalModel
        The model of the best round.
    best_round : int
        The round with the lowest primary metric on the validation rows; the last where that one
        wasn't scored. 0 is the model that the run started from.
    last_round : int
        The last round that was run.
    card : str
        The model's card, for clients that keep the model; "" for none.
    """

    model: GlobalModel
    best_round: int
    last_round: int
    card: str = ""


class TrainingLoop:
    """Runs the rounds of a federation.

    Parameters
    ----------
    manager : ClientManager
        The bakeries.
    start : GlobalModel, optional
        The model to go on from; without it the first round begins with the strategy's own.
    """

    def __init__(self, manager: ClientManager, *, start: GlobalModel | None = None) -> None:
        self.manager = manager
        self._clients = manager.clients
        self._settings = manager.settings
        self._start = start
        self.sum_rounds = sums_of(manager)
        self._strategy = strategy_of(manager, self.sum_rounds)
        self._scores = RoundScores(self.sum_rounds, self._strategy)
        self._noised = manager.settings.noise.wanted
        self._metrics = workload_of(manager.settings).metrics
        self.final = FinalEvaluation(self.sum_rounds, self._scores)

    @property
    def start(self) -> GlobalModel | None:
        """The model that the run went on from; None where it began from nothing."""
        return self._start

    @property
    def devices(self) -> frozenset[str]:
        """Where bakeries learned so far, in XGBoost's words, like "cpu" or "cuda:0"."""
        return frozenset(self.manager.devices)

    @property
    def shows_scores(self) -> bool:
        """Whether the server may see each bakery's scores."""
        return self.manager.shows_scores

    @property
    def score_noise(self) -> float:
        """Standard deviation of the noise in the last score; 0 without noise, and before."""
        return self._scores.noise

    @property
    def noises_scores(self) -> bool:
        """Whether the server learns of the final test what noise is put on, and no more."""
        return self._noised and not self.shows_scores

    def run(self, state: TrainingState | None = None) -> TrainingResult:
        """Run all rounds, or fewer where early stopping is on.

        Parameters
        ----------
        state : TrainingState, optional
            Where an interrupted run was, to go on from there.

        Raises
        ------
        FederationError
            A round had no valid reply.
        """
        try:
            state = state or self._begin()
        except ImpossibleSumError as error:
            return self._without_rounds(error)
        rounds = self._settings.rounds
        patience = rounds.early_stopping_rounds
        while state.number < rounds.num_server_rounds:
            if state.stalled(patience):
                LOG.info("no better for %d rounds: stopped early", patience)
                break
            if state.hopeless:
                LOG.warning("%d rounds in a row are lost: the training ends here", state.lost)
                break
            state = self._round(state)
        return TrainingResult(state.best_model, state.best.round, state.number)

    def test(self, result: TrainingResult, *, findings: str = "") -> dict[str, str]:
        """Have every client score the final model and its baselines on its test rows.

        Parameters
        ----------
        result : TrainingResult
            What the rounds came to.
        findings : str
            What the workload found out about the model and clients may use.

        Returns
        -------
        dict of str to str
            Bakery -> JSON of its rows of `bakeries.csv`.

        Raises
        ------
        FederationError
            No bakery gave a valid reply.
        """
        self._clients.folder.begin_phase(Phase.FINAL_TEST)
        number, model = result.last_round, result.model
        found = self.final.request(TEST, number, model, findings=findings, card=result.card)
        if not found:
            raise self.manager.failed(f"the final test after round {number}")
        return found

    def summed_test(self, result: TrainingResult, *, methods: int) -> Floats:
        """Sum up what all bakeries made of the last test, where each keeps its own scores.

        Shape (methods, fields), for as many methods as were evaluated.

        Raises
        ------
        FederationError
            Nobody gave a valid reply, or too few did for a sum.
        """
        return self.final.summed(result.last_round, methods=methods)

    def noised_test(self, result: TrainingResult, *, methods: int) -> NoisedScores:
        """Give the means of what bakeries made of the last test, by method, with noise.

        Raises
        ------
        FederationError
            Nobody gave a valid reply, or too few did for the noise that is accounted.
        """
        return self.final.noised(result.last_round, methods=methods)

    def test_start(self, result: TrainingResult) -> dict[str, str]:
        """Have every client score the model that the run started from, as `test` does.

        Empty where the run started from none.
        """
        if self._start is None:
            return {}
        return self.final.request(TEST_START, result.last_round, self._start)

    def _begin(self) -> TrainingState:
        first = self._start or self._strategy.first_model()
        strategy_state = self._strategy.init(first)
        state = TrainingState.before(first, strategy_state)
        if self._start is None:
            return state
        unchanged = RoundResult(first, 0, 0, state=strategy_state)
        start = RoundStart.now(self._clients)
        self._keep(0, unchanged)
        found = self._scores.of(0, unchanged)
        self._write(0, unchanged, found, start)
        return state.after(
            0,
            first,
            found.metric,
            strategy_state=strategy_state,
            scores={} if self._noised else primaries(found.scores),
        )

    def _without_rounds(self, error: ImpossibleSumError) -> TrainingResult:
        """End before the first round, with the model that there is."""
        first = self._start or self._strategy.first_model()
        self._append(RoundGivenUp(0, str(error)))
        unscored = RoundScore({}, self._metrics(), math.nan)
        self._write(0, RoundResult(first, 0, 0), unscored, RoundStart.now(self._clients))
        return TrainingResult(first, 0, 0)

    def _round(self, state: TrainingState) -> TrainingState:
        number, start = state.number + 1, RoundStart.now(self._clients)
        self.manager.gather(number)
        result = timed(self.manager, number, self._learned(number, state))
        if number == 1 and self._start is None:
            first = self._scores.read(result.scores_before)
            state = state.scored(first.metric, primaries(first.scores))
        self._keep(number, result)
        found = self._scores.of(number, result)
        if self.sum_rounds.groups is not None:
            found = found.linked(state.best.metric, state.best_scores)
        state = self._reviewed(number, state, result, found)
        if state.best.round == 0 and self._start is None:
            # No round has written the best model, and a run that resumes goes back to it.
            self._keep_model(0, state.best_model)
            if number == 1 and state.best_scores:
                self._append(first_model_better(number, state))
        self._write(number, result, found, start)
        return state

    def _learned(self, number: int, state: TrainingState) -> RoundResult:
        """Have a round's model; the one before where somebody's sums can't be."""
        try:
            return self._strategy.train(number, state.model, state.strategy_state)
        except ImpossibleSumError as error:
            self._append(RoundGivenUp(number, str(error)))
            asked = len(self.manager.present_trainers(number))
            lost = self._strategy.after_loss(state.strategy_state)
            return RoundResult(state.model, asked, replies=0, state=lost)

    def _reviewed(
        self, number: int, state: TrainingState, result: RoundResult, found: RoundScore
    ) -> TrainingState:
        """Go on to the round's model, or back to the one before where it is worse beyond chance."""
        before = state.scores or primaries(result.scores_before)
        after = {} if self._noised else primaries(found.scores)
        if result.replies == 0:
            return state.given_up(
                number, found.metric, strategy_state=result.state, scores=after or before
            )
        worse = setback(before, after, least_scale=self._metrics.LEAST_SCALE)
        if worse > self._settings.chance_setback:
            self._append(RoundTakenBack(number, worse))
            lost = self._strategy.after_loss(state.strategy_state)
            # What a run that resumes goes on from.
            self._keep(number, RoundResult(state.model, 0, 0, state=lost))
            return state.without(number, strategy_state=lost, scores=before)
        return state.after(
            number,
            result.model,
            found.metric,
            strategy_state=result.state,
            scores=after or before,
        )

    def _append(self, event: Setback) -> None:
        self._clients.folder.append_event(event)
        LOG.warning("round %d: %s", event.round, event.sentence_in(self._clients.folder.words))

    def _write(
        self, number: int, result: RoundResult, found: RoundScore, start: RoundStart
    ) -> None:
        noise = self.score_noise if self._noised else None
        write_round(self.sum_rounds, start, number, result, found, noise=noise)

    def _keep(self, number: int, result: RoundResult) -> None:
        """Write the round's checkpoint; it counts once the round's row is written too."""
        rounds = self._settings.rounds
        assert bool(result.state) == rounds.has_state, "an aggregation has a state or it has none"
        write_state(self._clients.folder, number, result.state)
        self._keep_model(number, result.model)

    def _keep_model(self, number: int, model: GlobalModel) -> None:
        write_checkpoint(self._clients.folder, number, model, self._settings)
