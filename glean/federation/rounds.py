"""The rounds: bakeries train, the server merges, bakeries score; the best model is kept."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import TypeVar

from flwr.app import RecordDict

from glean.errors import FederationError, ModelError
from glean.federation.aggregator import Aggregator, AnyUpdate
from glean.federation.conversation import (
    EVALUATE,
    TEST,
    TRAIN,
    Conversation,
    check_code,
)
from glean.federation.global_model import GlobalModel
from glean.federation.messages import Contribution, FinalScores, Score, Task
from glean.federation.sampling import derived_seed, draw_share
from glean.metrics import ErrorSums

LOG = logging.getLogger("glean")

Found = TypeVar("Found", bound=Sized)


@dataclass(frozen=True)
class Outcome:
    """What the rounds came to.

    Parameters
    ----------
    model : GlobalModel
        The model of the best round.
    best_round : int
        The round with the lowest WAPE on the validation windows; the last where none was scored.
    last_round : int
        The last round that was run.
    """

    model: GlobalModel
    best_round: int
    last_round: int


class Rounds:
    """Leads a federation through its rounds.

    Parameters
    ----------
    conversation : Conversation
        With the bakeries met.
    aggregator : Aggregator
        How updates become the next model.
    learning_rate : float
        Step size of every round.
    trainers : sequence of str
        Bakeries with enough days to learn from.
    newcomers : sequence of str
        Bakeries that play newcomers.
    """

    def __init__(
        self,
        conversation: Conversation,
        aggregator: Aggregator,
        *,
        learning_rate: float,
        trainers: Sequence[str],
        newcomers: Sequence[str],
    ) -> None:
        self._talk = conversation
        self._aggregator = aggregator
        self._settings = aggregator.settings
        self._definition_json = aggregator.definition.to_json()
        self._learning_rate = learning_rate
        self._trainers = tuple(sorted(trainers))
        self._newcomers = frozenset(newcomers)
        self._held: dict[str, str] = {}

    def run(self) -> Outcome:
        """Run all rounds, or fewer where early stopping is on.

        Raises
        ------
        FederationError
            A round had no valid reply.
        """
        model = self._aggregator.first_model()
        best = Outcome(model, best_round=0, last_round=0)
        best_wape = math.inf
        for number in range(1, self._settings.rounds.num_server_rounds + 1):
            model, wape = self._round(number, model)
            # As long as nothing could be scored (NaN), the last round is the best.
            if wape < best_wape or math.isinf(best_wape):
                best = Outcome(model, number, number)
                best_wape = wape if math.isfinite(wape) else math.inf
            best = replace(best, last_round=number)
            patience = self._settings.rounds.early_stopping_rounds
            if patience and number - best.best_round >= patience:
                LOG.info("no better for %d rounds: stopped early", patience)
                break
        return best

    def test(self, outcome: Outcome) -> dict[str, str]:
        """Have every bakery judge the final model on its test window.

        Returns
        -------
        dict of str to str
            Bakery -> JSON of its rows of `bakeries.csv`.

        Raises
        ------
        FederationError
            No bakery gave a valid reply.
        """
        number = outcome.last_round
        names = tuple(self._talk.nodes)
        records = {
            name: self._task(name, outcome.model, number, whole=True).to_record() for name in names
        }
        found: dict[str, str] = {}
        for name, reply in self._talk.ask(TEST, records, round_number=number).items():
            try:
                scores = FinalScores.from_record(reply)
                _check_reply(name, scores)
                found[name] = scores.rows
            except (ModelError, FederationError) as error:
                self._talk.report_failure(name, str(error), round_number=number)
        return _some(found, f"the final test after round {number}")

    def _round(self, number: int, model: GlobalModel) -> tuple[GlobalModel, float]:
        start, before = time.monotonic(), replace(self._talk.traffic)
        self._talk.failures = 0
        asked = self._aggregator.trainers(self._trainers, number)
        updates = self._collect_updates(number, model, asked)
        model = self._aggregator.merge(model, updates)
        self._talk.folder.write_bytes(f"models/round_{number:03d}{model.suffix}", model.to_bytes())
        scores = self._collect_scores(number, model)
        total = reduce(add, scores.values(), ErrorSums())
        row = {
            "round": number,
            "bakeries": len(asked),
            "replies": len(updates),
            "failures": self._talk.failures,
            **_accuracy(total),
            "bytes_down": self._talk.traffic.down - before.down,
            "bytes_up": self._talk.traffic.up - before.up,
            "seconds": round(time.monotonic() - start, 3),
        }
        bakery_rows = [
            {"round": number, "bakery": name, "n_examples": int(sums.rows), **_accuracy(sums)}
            for name, sums in scores.items()
        ]
        self._talk.folder.append_round(row, bakery_rows)
        self._talk.folder.append_event("round_finished", **_finite_only(row))
        LOG.info("round %d: validation WAPE %.4f, %d replies", number, total.wape, len(updates))
        return model, total.wape

    def _collect_updates(
        self, number: int, model: GlobalModel, asked: Sequence[str]
    ) -> list[AnyUpdate]:
        updates: list[AnyUpdate] = []
        for name, reply in self._converse(TRAIN, asked, model, number).items():
            try:
                contribution = Contribution.from_record(reply)
                _check_reply(name, contribution)
                updates.append(self._aggregator.accept(model, contribution))
            except (ModelError, FederationError) as error:
                self._talk.report_failure(name, str(error), round_number=number)
        return _some(updates, f"the train phase of round {number}")

    def _collect_scores(self, number: int, model: GlobalModel) -> dict[str, ErrorSums]:
        # The same bakeries in every round: else the best round would be the luckiest draw.
        seed = derived_seed(self._settings.seed, "evaluate fraction")
        fraction = self._settings.rounds.fraction_evaluate
        asked = draw_share(tuple(self._talk.nodes), fraction, seed=seed)
        scores: dict[str, ErrorSums] = {}
        for name, reply in self._converse(EVALUATE, asked, model, number).items():
            try:
                score = Score.from_record(reply)
                _check_reply(name, score)
                scores[name] = score.error_sums()
            except (ModelError, FederationError) as error:
                self._talk.report_failure(name, str(error), round_number=number)
        return _some(scores, f"the evaluate phase of round {number}")

    def _converse(
        self, kind: str, names: Sequence[str], model: GlobalModel, number: int
    ) -> dict[str, RecordDict]:
        """Ask with what each bakery lacks; again with the whole model where it lacked more."""
        records = {name: self._task(name, model, number).to_record() for name in names}
        replies = self._talk.ask(kind, records, round_number=number)
        lacking = [name for name, reply in replies.items() if _lacks_model(reply)]
        if lacking:
            whole = {
                name: self._task(name, model, number, whole=True).to_record() for name in lacking
            }
            again = self._talk.ask(kind, whole, round_number=number)
            replies = {n: r for n, r in replies.items() if n not in whole} | again
        self._held |= dict.fromkeys(replies, model.state)
        return dict(sorted(replies.items()))

    def _task(self, name: str, model: GlobalModel, number: int, *, whole: bool = False) -> Task:
        base, content = model.since("" if whole else self._held.get(name, ""))
        return Task(
            round=number,
            definition=self._definition_json,
            base=base,
            state=model.state,
            learning_rate=self._learning_rate,
            newcomer=name in self._newcomers,
            model=content,
        )


def _some(found: Found, phase: str) -> Found:
    if not found:
        raise FederationError(f"no bakery gave a valid reply in {phase}; see events.jsonl")
    return found


def _check_reply(name: str, reply: Contribution | Score | FinalScores) -> None:
    check_code(reply.code)
    if reply.bakery != name:
        raise FederationError(f"the reply says it comes from {reply.bakery!r}; wanted {name!r}")
    if not isinstance(reply, FinalScores) and reply.lacks_model:
        raise FederationError("the reply says that it lacks the model, which was sent as a whole")


def _lacks_model(reply: RecordDict) -> bool:
    flat = reply.config_records.get("fields")
    return bool(flat and flat.get("lacks_model"))


def _accuracy(sums: ErrorSums) -> dict[str, float]:
    return {"wape": sums.wape, "mae": sums.mae, "rmse": sums.rmse, "mape": sums.mape}


def _finite_only(row: Mapping[str, float]) -> dict[str, float | None]:
    """JSON knows neither NaN nor infinity."""
    return {name: value if math.isfinite(value) else None for name, value in row.items()}
