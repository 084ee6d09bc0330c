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
    TEST_START,
    TRAIN,
    Conversation,
)
from glean.federation.global_model import GlobalModel
from glean.federation.messages import Contribution, FinalScores, Score, Task
from glean.federation.post import Traffic
from glean.federation.run_folder import checkpoint_name
from glean.federation.sampling import derived_seed, draw_share
from glean.federation.standing import Standing
from glean.federation.version import check_code
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
        0 is the model that the run started from.
    last_round : int
        The last round that was run.
    """

    model: GlobalModel
    best_round: int
    last_round: int


@dataclass(frozen=True)
class _Opening:
    """When a round began, and what had been sent by then."""

    time: float
    traffic: Traffic


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
    start : GlobalModel, optional
        The model to go on from; without it the first round begins with a model without trees, or
        with weights drawn by seed.

    Attributes
    ----------
    devices : set of str
        Where bakeries learned so far, in XGBoost's words, like "cpu" or "cuda:0".
    """

    def __init__(
        self,
        conversation: Conversation,
        aggregator: Aggregator,
        *,
        learning_rate: float,
        trainers: Sequence[str],
        newcomers: Sequence[str],
        start: GlobalModel | None = None,
    ) -> None:
        self._talk = conversation
        self._aggregator = aggregator
        self._settings = aggregator.settings
        self._definition_json = aggregator.definition.to_json()
        self._learning_rate = learning_rate
        self._trainers = tuple(sorted(trainers))
        self._newcomers = frozenset(newcomers)
        self._start = start
        self._held: dict[str, str] = {}
        self.devices: set[str] = set()

    def run(self, standing: Standing | None = None) -> Outcome:
        """Run all rounds, or fewer where early stopping is on.

        Parameters
        ----------
        standing : Standing, optional
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
        return Outcome(standing.best_model, standing.best.round, standing.number)

    def test(self, outcome: Outcome) -> dict[str, str]:
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
        found = self._test(TEST, outcome.model, outcome.last_round)
        return self._some(found, f"the final test after round {outcome.last_round}")

    def test_start(self, outcome: Outcome) -> dict[str, str]:
        """Have every bakery judge the model that the run started from, as `test` does.

        Empty where the run started from none.
        """
        if self._start is None:
            return {}
        return self._test(TEST_START, self._start, outcome.last_round)

    def _test(self, kind: str, model: GlobalModel, number: int) -> dict[str, str]:
        self._gather(number, at_least=1)
        names = sorted(self._talk.present)
        records = {name: self._task(name, model, number, whole=True).to_record() for name in names}
        found: dict[str, str] = {}
        for name, reply in self._talk.ask(kind, records, round_number=number).items():
            try:
                scores = FinalScores.from_record(reply)
                _check_reply(name, scores)
                found[name] = scores.rows
            except (ModelError, FederationError) as error:
                self._talk.report_failure(name, str(error), round_number=number)
        return found

    def _begin(self) -> Standing:
        if self._start is None:
            return Standing.before(self._aggregator.first_model())
        wape = self._judge(0, self._start, self._open())
        return Standing.before(self._start).after(0, self._start, wape)

    def _round(self, number: int, model: GlobalModel) -> tuple[GlobalModel, float]:
        opening = self._open()
        self._gather(number)
        asked = self._aggregator.trainers(self._present_trainers(number), number)
        updates = self._collect_updates(number, model, asked)
        model = self._aggregator.merge(model, updates)
        wape = self._judge(number, model, opening, asked=len(asked), replies=len(updates))
        return model, wape

    def _open(self) -> _Opening:
        self._talk.failures = 0
        return _Opening(time.monotonic(), replace(self._talk.traffic))

    def _judge(
        self,
        number: int,
        model: GlobalModel,
        opening: _Opening,
        *,
        asked: int = 0,
        replies: int = 0,
    ) -> float:
        """Keep the model of a round, have it scored and write the round down; its WAPE."""
        self._talk.folder.write_bytes(checkpoint_name(number, model.suffix), model.to_bytes())
        scores = self._collect_scores(number, model)
        total = reduce(add, scores.values(), ErrorSums())
        row = {
            "round": number,
            "bakeries": asked,
            "replies": replies,
            "failures": self._talk.failures,
            **_accuracy(total),
            "bytes_down": self._talk.traffic.down - opening.traffic.down,
            "bytes_up": self._talk.traffic.up - opening.traffic.up,
            "seconds": round(time.monotonic() - opening.time, 3),
        }
        bakery_rows = [
            {"round": number, "bakery": name, "n_examples": int(sums.rows), **_accuracy(sums)}
            for name, sums in scores.items()
        ]
        self._talk.folder.append_round(row, bakery_rows)
        self._talk.folder.append_event("round_finished", **_finite_only(row))
        LOG.info("round %d: validation WAPE %.4f, %d replies", number, total.wape, replies)
        return total.wape

    def _gather(self, number: int, *, at_least: int | None = None) -> None:
        """See who is there; bakeries that came or came back hold no model, and may train."""
        wanted = self._settings.rounds.min_available_bakeries if at_least is None else at_least
        news = self._talk.gather(at_least=wanted, round_number=number)
        for name, met in news.items():
            if met.note:
                self._talk.report_untrained(name, met.note)
        if news:
            news |= self._talk.meet_newcomers([name for name in news if name in self._newcomers])
            trainers = {*self._trainers} - news.keys()
            trainers |= {name for name, met in news.items() if met.trains}
            self._trainers = tuple(sorted(trainers))
            self._held = {name: s for name, s in self._held.items() if name not in news}

    def _present_trainers(self, number: int) -> list[str]:
        trainers = [name for name in self._trainers if name in self._talk.present]
        if not trainers:
            raise FederationError(
                f"round {number}: none of the bakeries that are present has enough trading days "
                f"to learn from; those that have are {', '.join(self._trainers) or 'none'}"
            )
        return trainers

    def _collect_updates(
        self, number: int, model: GlobalModel, asked: Sequence[str]
    ) -> list[AnyUpdate]:
        updates: list[AnyUpdate] = []
        for name, reply in self._converse(TRAIN, asked, model, number).items():
            try:
                contribution = Contribution.from_record(reply)
                _check_reply(name, contribution)
                updates.append(self._aggregator.accept(model, contribution))
                self.devices.add(contribution.device)
            except (ModelError, FederationError) as error:
                self._talk.report_failure(name, str(error), round_number=number)
        return self._some(updates, f"the train phase of round {number}")

    def _collect_scores(self, number: int, model: GlobalModel) -> dict[str, ErrorSums]:
        # The same bakeries in every round: else the best round would be the luckiest draw.
        seed = derived_seed(self._settings.seed, "evaluate fraction")
        fraction = self._settings.rounds.fraction_evaluate
        asked = draw_share(tuple(self._talk.present), fraction, seed=seed)
        scores: dict[str, ErrorSums] = {}
        for name, reply in self._converse(EVALUATE, asked, model, number).items():
            try:
                score = Score.from_record(reply)
                _check_reply(name, score)
                scores[name] = score.error_sums()
            except (ModelError, FederationError) as error:
                self._talk.report_failure(name, str(error), round_number=number)
        return self._some(scores, f"the evaluate phase of round {number}")

    def _some(self, found: Found, phase: str) -> Found:
        if not found:
            raise FederationError(
                f"no bakery gave a valid reply in {phase}; see events.jsonl. The last reason: "
                f"{self._talk.last_failure}"
            )
        return found

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
