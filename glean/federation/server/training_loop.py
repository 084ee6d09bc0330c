"""The rounds: bakeries train, the server merges, bakeries score; the best model is kept."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any

from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.exchange import TEST, TEST_START
from glean.federation.coordination.global_model import GlobalModel
from glean.federation.coordination.grid_messenger import Traffic
from glean.federation.coordination.metric_rounds import Scores, sum_final_test
from glean.federation.coordination.noised_scores import NoisedScores, sum_noised_scores
from glean.federation.coordination.sum_rounds import SumRounds
from glean.federation.server.final_evaluation import request_final_test
from glean.federation.server.round_result import RoundResult
from glean.federation.server.state_file import write_state
from glean.federation.server.strategy import strategy_of
from glean.federation.server.training_state import TrainingState
from glean.federation.wire.final_test_sums import Floats
from glean.federation.wire.noised_parts import scored_rounds
from glean.federation.wire.sum_request import CLIPPED_FINAL, CLIPPED_SCORE
from glean.federation.workload.registry import workload_of
from glean.metric_sums import ALL_CLIENTS, metric_label, written_score
from glean.runs.events import RoundFinished
from glean.runs.folder import checkpoint_name

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
    """

    model: GlobalModel
    best_round: int
    last_round: int


@dataclass(frozen=True)
class _RoundStart:
    """When a round began, and what had been sent by then."""

    time: float
    traffic: Traffic


class TrainingLoop:
    """Runs the rounds of a federation.

    Parameters
    ----------
    manager : ClientManager
        The bakeries.
    start : GlobalModel, optional
        The model to go on from; without it the first round begins with the strategy's own.

    Attributes
    ----------
    score_noise : float
        Standard deviation of the noise in the last score; 0 without noise, and before.
    """

    def __init__(self, manager: ClientManager, *, start: GlobalModel | None = None) -> None:
        self.manager = manager
        self._clients = manager.clients
        self._settings = manager.settings
        self._start = start
        self.sum_rounds = SumRounds(manager)
        self._strategy = strategy_of(manager, self.sum_rounds)
        self._metrics = workload_of(manager.settings).metrics
        self._noised = manager.settings.noise.wanted
        self.score_noise = 0.0

    @property
    def devices(self) -> frozenset[str]:
        """Where bakeries learned so far, in XGBoost's words, like "cpu" or "cuda:0"."""
        return frozenset(self.manager.devices)

    @property
    def shows_scores(self) -> bool:
        """Whether the server may see each bakery's scores."""
        return self.manager.shows_scores

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
        state = state or self._begin()
        rounds = self._settings.rounds
        patience = rounds.early_stopping_rounds
        while state.number < rounds.num_server_rounds:
            if state.stalled(patience):
                LOG.info("no better for %d rounds: stopped early", patience)
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
        number = result.last_round
        found = request_final_test(self.manager, TEST, number, result.model, findings=findings)
        if not found:
            raise self.manager.failed(f"the final test after round {number}")
        return found

    def summed_test(self, result: TrainingResult, *, methods: int) -> Floats:
        """Sum up what all bakeries made of the last test, where each keeps its own scores.

        Parameters
        ----------
        result : TrainingResult
            What the rounds came to.
        methods : int
            How many methods were evaluated.

        Returns
        -------
        float64 array of shape (methods, fields)

        Raises
        ------
        FederationError
            Nobody gave a valid reply, or too few did for a sum.
        """
        return sum_final_test(self.sum_rounds, result.last_round, methods=methods)

    def noised_test(self, result: TrainingResult, *, methods: int) -> NoisedScores:
        """Give the means of what bakeries made of the last test, by method, with noise.

        Raises
        ------
        FederationError
            Nobody gave a valid reply, or too few did for the noise that is accounted.
        """
        return self._noised_scores(CLIPPED_FINAL, result.last_round, None, length=methods)

    def test_start(self, result: TrainingResult) -> dict[str, str]:
        """Have every client score the model that the run started from, as `test` does.

        Empty where the run started from none.
        """
        if self._start is None:
            return {}
        return request_final_test(
            self.manager, TEST_START, result.last_round, self._start, findings=""
        )

    def _begin(self) -> TrainingState:
        first = self._start or self._strategy.first_model()
        strategy_state = self._strategy.init(first)
        state = TrainingState.before(first, strategy_state)
        if self._start is None:
            return state
        unchanged = RoundResult(first, asked=0, replies=0, state=strategy_state)
        metric = self._evaluate(0, unchanged, self._round_start())
        return state.after(0, first, metric, strategy_state=strategy_state)

    def _round(self, state: TrainingState) -> TrainingState:
        number, start = state.number + 1, self._round_start()
        self.manager.gather(number)
        result = self._strategy.train(number, state.model, state.strategy_state)
        metric = self._evaluate(number, result, start)
        return state.after(number, result.model, metric, strategy_state=result.state)

    def _round_start(self) -> _RoundStart:
        self._clients.failures = 0
        return _RoundStart(time.monotonic(), replace(self._clients.traffic))

    def _evaluate(self, number: int, result: RoundResult, start: _RoundStart) -> float | None:
        """Keep what came of a round, have its model scored, and write it down."""
        self._keep(number, result)
        scores = self._scored(number, result)
        total = reduce(add, scores.values(), self._metrics())
        row: dict[str, Any] = {
            "round": number,
            "bakeries": result.asked,
            "replies": result.replies,
            "failures": self._clients.failures,
            **total.metrics(),
            "bytes_down": self._clients.traffic.down - start.traffic.down,
            "bytes_up": self._clients.traffic.up - start.traffic.up,
            "seconds": round(time.monotonic() - start.time, 3),
        }
        client_rows: list[dict[str, Any]] = [
            {"round": number, "bakery": name, "n_examples": int(sums.rows), **sums.metrics()}
            for name, sums in scores.items()
        ]
        if self._noised or not scores:  # what isn't opened has an empty cell
            row = _known_only(row)
            client_rows = [_known_only(each) | {"n_examples": ""} for each in client_rows]
        noise = self.score_noise if self._noised and scores else None
        self._clients.folder.append_round(self._metrics.COLUMNS, row, client_rows)
        event = RoundFinished.from_row(_finite_only({**row, **total.metrics()}))
        self._clients.folder.append_event(replace(event, noise=noise))
        score = written_score(total.primary, noise, digits=4)
        score = f"validation {metric_label(self._metrics.COLUMNS[0])} {score}"
        words = score if math.isfinite(total.primary) else "not scored"
        LOG.info("round %d: %s, %d replies", number, words, result.replies)
        # Rounds can't be compared by scores with noise: the last one's model is kept.
        return total.primary if scores and not self._noised else None

    def _scored(self, number: int, result: RoundResult) -> Scores:
        """Have the model of a round scored; with noise in a few rounds only."""
        if not self._noised:
            return self._strategy.evaluate(number, result.model, result.state)
        if number not in scored_rounds(self._settings):
            return {}
        found = self._noised_scores(CLIPPED_SCORE, number, result.model, length=1)
        return {ALL_CLIENTS: self._metrics.of_primary(found.means[0])}

    def _noised_scores(
        self, part: str, number: int, model: GlobalModel | None, *, length: int
    ) -> NoisedScores:
        found = sum_noised_scores(self.sum_rounds, part, number, model, length=length)
        self.score_noise = found.deviation
        return found

    def _keep(self, number: int, result: RoundResult) -> None:
        """Write the round's checkpoint; it counts once the round's row is written too."""
        kind, model = self._settings.rounds.kind, result.model
        assert bool(result.state) == kind.has_state, f"{kind.name} has a state or it has none"
        write_state(self._clients.folder, number, result.state)
        self._clients.folder.write_bytes(checkpoint_name(number, model.suffix), model.to_bytes())


def _known_only(row: Mapping[str, Any]) -> dict[str, Any]:
    """Leave cells of what isn't known empty."""
    return {n: "" if isinstance(v, float) and math.isnan(v) else v for n, v in row.items()}


def _finite_only(row: Mapping[str, float]) -> dict[str, float | None]:
    """JSON knows neither NaN nor infinity."""
    return {name: value if math.isfinite(value) else None for name, value in row.items()}
