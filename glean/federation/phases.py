"""The phases of a round: the bakeries that are there are given a task, their replies are checked.

What can't be trusted is left out and named. Where all that were asked went while they worked, those
who are there then are asked in their place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Sized
from typing import TypeVar

from flwr.app import RecordDict

from glean.errors import FederationError, ModelError
from glean.federation.aggregator import Aggregator, AnyUpdate
from glean.federation.conversation import EVALUATE, TRAIN, Conversation
from glean.federation.global_model import GlobalModel
from glean.federation.messages import Contribution, FinalScores, Score, Task
from glean.federation.sampling import derived_seed, draw_share
from glean.federation.version import check_code
from glean.metrics import ErrorSums

ATTEMPTS = 3
"""How often a phase is begun in which nobody who was asked gives a valid reply."""

Found = TypeVar("Found", bound=Sized)


class Phases:
    """Asks the bakeries of a federation.

    Parameters
    ----------
    conversation : Conversation
        With the bakeries met.
    aggregator : Aggregator
        Says who trains, and what of their replies can be merged.
    learning_rate : float
        Step size of every round.
    trainers : sequence of str
        Bakeries with enough days to learn from.
    newcomers : sequence of str
        Bakeries that play newcomers.

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
    ) -> None:
        self._talk = conversation
        self._aggregator = aggregator
        self._settings = aggregator.settings
        self._definition_json = aggregator.definition.to_json()
        self._learning_rate = learning_rate
        self._trainers = tuple(sorted(trainers))
        self._newcomers = frozenset(newcomers)
        self._held: dict[str, str] = {}
        self.devices: set[str] = set()

    def gather(self, number: int, *, at_least: int | None = None) -> None:
        """See who is there; bakeries that came or came back hold no model, and may train.

        Raises
        ------
        FederationError
            They are fewer than `at_least` (by default `min-available-bakeries`) for too long.
        """
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

    def train(self, number: int, model: GlobalModel) -> tuple[int, list[AnyUpdate]]:
        """Have bakeries learn; how many were asked, and the updates that can be merged.

        Raises
        ------
        FederationError
            There is none.
        """

        def collect(spent: set[str]) -> tuple[Sequence[str], list[AnyUpdate]]:
            trainers = [name for name in self._present_trainers(number) if name not in spent]
            asked = self._aggregator.trainers(trainers, number) if trainers else ()
            return asked, self._updates(number, model, asked)

        asked, updates = self._some(collect, number, f"the train phase of round {number}")
        return len(asked), updates

    def evaluate(self, number: int, model: GlobalModel) -> dict[str, ErrorSums]:
        """Have bakeries score a model on their validation windows.

        Raises
        ------
        FederationError
            There is no valid score.
        """
        # The same bakeries in every round: else the best round would be the luckiest draw.
        seed = derived_seed(self._settings.seed, "evaluate fraction")
        fraction = self._settings.rounds.fraction_evaluate

        def collect(spent: set[str]) -> tuple[Sequence[str], dict[str, ErrorSums]]:
            asked = draw_share(tuple(self._talk.present - spent), fraction, seed=seed)
            return asked, self._scores(number, model, asked)

        return self._some(collect, number, f"the evaluate phase of round {number}")[1]

    def test(self, kind: str, number: int, model: GlobalModel) -> dict[str, str]:
        """Have all that are there judge a model on their test windows; JSON of their rows."""
        self.gather(number, at_least=1)
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

    def fail(self, phase: str) -> FederationError:
        """Say that nobody gave a valid reply."""
        return FederationError(
            f"no bakery gave a valid reply in {phase}; see events.jsonl. The last reason: "
            f"{self._talk.last_failure}"
        )

    def _some(
        self, collect: Callable[[set[str]], tuple[Sequence[str], Found]], number: int, phase: str
    ) -> tuple[Sequence[str], Found]:
        """Ask until somebody gives a valid reply; others each time, or those that came back."""
        spent: set[str] = set()
        for _ in range(ATTEMPTS):
            asked, found = collect(spent)
            if found:
                return asked, found
            # Who fails or hangs has had its turn; who went may come back and be asked again.
            spent |= {*asked} - self._talk.gone
            if asked and not self._talk.gone and not self._talk.present - spent:
                break
            self.gather(number)
        raise self.fail(phase)

    def _present_trainers(self, number: int) -> list[str]:
        trainers = [name for name in self._trainers if name in self._talk.present]
        if not trainers:
            raise FederationError(
                f"round {number}: none of the bakeries that are present has enough trading days "
                f"to learn from; those that have are {', '.join(self._trainers) or 'none'}"
            )
        return trainers

    def _updates(self, number: int, model: GlobalModel, asked: Sequence[str]) -> list[AnyUpdate]:
        updates: list[AnyUpdate] = []
        for name, reply in self._converse(TRAIN, asked, model, number).items():
            try:
                contribution = Contribution.from_record(reply)
                _check_reply(name, contribution)
                updates.append(self._aggregator.accept(model, contribution))
                self.devices.add(contribution.device)
            except (ModelError, FederationError) as error:
                self._talk.report_failure(name, str(error), round_number=number)
        return updates

    def _scores(
        self, number: int, model: GlobalModel, asked: Sequence[str]
    ) -> dict[str, ErrorSums]:
        scores: dict[str, ErrorSums] = {}
        for name, reply in self._converse(EVALUATE, asked, model, number).items():
            try:
                score = Score.from_record(reply)
                _check_reply(name, score)
                scores[name] = score.error_sums()
            except (ModelError, FederationError) as error:
                self._talk.report_failure(name, str(error), round_number=number)
        return scores

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
