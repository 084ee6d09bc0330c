"""The rounds: bakeries train, the server merges, bakeries score; the best model is kept."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

from glean.aggregation.error_histogram import ErrorDistribution
from glean.errors import FederationError
from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.exchange import TEST, TEST_START
from glean.federation.coordination.global_model import GlobalModel
from glean.federation.coordination.grid_messenger import Traffic
from glean.federation.coordination.sum_rounds import SumRounds
from glean.federation.server.strategy import strategy_of, test_phase
from glean.federation.server.training_state import TrainingState
from glean.federation.wire.final_test_sums import Floats
from glean.metrics import ErrorSums
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
        The round with the lowest WAPE on the validation windows; the last where none was scored.
        0 is the model that the run started from.
    last_round : int
        The last round that was run.
    widths : ErrorDistribution or None
        How far the model is off on the validation windows, once that is summed up.
    """

    model: GlobalModel
    best_round: int
    last_round: int
    errors: ErrorDistribution | None = None


@dataclass(frozen=True)
class _RoundStart:
    """When a round began, and what had been sent by then."""

    time: float
    traffic: Traffic


class TrainingLoop:
    """Leads a federation through its rounds.

    Parameters
    ----------
    council : ClientManager
        The bakeries, and how their updates become the next model.
    start : GlobalModel, optional
        The model to go on from; without it the first round begins with a model without trees, or
        with weights drawn by seed.
    """

    def __init__(self, manager: ClientManager, *, start: GlobalModel | None = None) -> None:
        self._manager = manager
        self._clients = manager.clients
        self._settings = manager.settings
        self._start = start
        self._sum_rounds = SumRounds(manager)
        self._strategy = strategy_of(manager, self._sum_rounds)

    @property
    def devices(self) -> frozenset[str]:
        """Where bakeries learned so far, in XGBoost's words, like "cpu" or "cuda:0"."""
        return frozenset(self._manager.devices)

    @property
    def shows_scores(self) -> bool:
        """Whether the server may see each bakery's scores."""
        return self._manager.shows_scores

    def run(self, standing: TrainingState | None = None) -> TrainingResult:
        """Run all rounds, or fewer where early stopping is on.

        Parameters
        ----------
        standing : TrainingState, optional
            Where an interrupted run stood, to go on from there.

        Raises
        ------
        FederationError
            A round had no valid reply.
        """
        standing = standing or self._begin()
        rounds = self._settings.rounds
        patience = rounds.early_stopping_rounds
        while standing.number < rounds.num_server_rounds:
            if standing.stalled(patience):
                LOG.info("no better for %d rounds: stopped early", patience)
                break
            number = standing.number + 1
            model, wape = self._round(number, standing.model)
            standing = standing.after(number, model, wape)
        return TrainingResult(standing.best_model, standing.best.round, standing.number)

    def with_errors(self, outcome: TrainingResult) -> TrainingResult:
        """Sum up how far the model is off, for bakeries with too few errors of their own.

        Only where somebody is to forecast by it or to compare, and where sums are masked or the
        tables are the operator's anyhow; and a run doesn't fail by it.
        """
        deployed, masked = self._manager.deployed, self._settings.secure_sums
        if (deployed and not masked) or not (deployed or self._settings.baselines):
            return outcome
        try:
            widths = self._sum_rounds.error_distribution(outcome.last_round, outcome.model)
        except FederationError as error:
            LOG.warning("newcomers can't borrow how sure forecasts are: %s", error)
            return outcome
        return replace(outcome, errors=widths)

    def test(self, outcome: TrainingResult) -> dict[str, str]:
        """Have every bakery judge the final model and its rivals on its test window.

        Returns
        -------
        dict of str to str
            Bakery -> JSON of its rows of `bakeries.csv`.

        Raises
        ------
        FederationError
            No bakery gave a valid reply.
        """
        widths = outcome.errors.to_json() if outcome.errors else ""
        found = test_phase(self._manager, TEST, outcome.last_round, outcome.model, errors=widths)
        if not found:
            raise self._manager.failed(f"the final test after round {outcome.last_round}")
        return found

    def summed_test(self, outcome: TrainingResult, *, methods: int) -> Floats:
        """Sum up what all bakeries made of the last test, where each keeps its own scores.

        Parameters
        ----------
        outcome : TrainingResult
            What the rounds came to.
        methods : int
            How many methods were judged.

        Returns
        -------
        float64 array of shape (methods, final_sums.FIELDS)

        Raises
        ------
        FederationError
            Nobody gave a valid reply, or too few did for a sum.
        """
        return self._sum_rounds.test_sums(outcome.last_round, methods=methods)

    def test_start(self, outcome: TrainingResult) -> dict[str, str]:
        """Have every bakery judge the model that the run started from, as `test` does.

        Empty where the run started from none.
        """
        if self._start is None:
            return {}
        return test_phase(self._manager, TEST_START, outcome.last_round, self._start, errors="")

    def _begin(self) -> TrainingState:
        if self._start is None:
            return TrainingState.before(self._manager.aggregator.first_model())
        wape = self._evaluate(0, self._start, self._round_start())
        return TrainingState.before(self._start).after(0, self._start, wape)

    def _round(self, number: int, model: GlobalModel) -> tuple[GlobalModel, float]:
        opening = self._round_start()
        self._manager.gather(number)
        trained = self._strategy.train(number, model)
        wape = self._evaluate(
            number, trained.model, opening, asked=trained.asked, replies=trained.replies
        )
        return trained.model, wape

    def _round_start(self) -> _RoundStart:
        self._clients.failures = 0
        return _RoundStart(time.monotonic(), replace(self._clients.traffic))

    def _evaluate(
        self,
        number: int,
        model: GlobalModel,
        opening: _RoundStart,
        *,
        asked: int = 0,
        replies: int = 0,
    ) -> float:
        """Keep the model of a round, have it scored and write the round down; its WAPE."""
        self._clients.folder.write_bytes(checkpoint_name(number, model.suffix), model.to_bytes())
        scores = self._strategy.evaluate(number, model)
        total = reduce(add, scores.values(), ErrorSums())
        row = {
            "round": number,
            "bakeries": asked,
            "replies": replies,
            "failures": self._clients.failures,
            **_accuracy(total),
            "bytes_down": self._clients.traffic.down - opening.traffic.down,
            "bytes_up": self._clients.traffic.up - opening.traffic.up,
            "seconds": round(time.monotonic() - opening.time, 3),
        }
        bakery_rows = [
            {"round": number, "bakery": name, "n_examples": int(sums.rows), **_accuracy(sums)}
            for name, sums in scores.items()
        ]
        self._clients.folder.append_round(row, bakery_rows)
        self._clients.folder.append_event(RoundFinished.from_row(_finite_only(row)))
        LOG.info("round %d: validation WAPE %.4f, %d replies", number, total.wape, replies)
        return total.wape


def _accuracy(sums: ErrorSums) -> dict[str, float]:
    return {"wape": sums.wape, "mae": sums.mae, "rmse": sums.rmse, "mape": sums.mape}


def _finite_only(row: Mapping[str, float]) -> dict[str, float | None]:
    """JSON knows neither NaN nor infinity."""
    return {name: value if math.isfinite(value) else None for name, value in row.items()}
