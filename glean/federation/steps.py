"""Steps: every bakery sends one vector, and only their sum counts; by secure sums, if on.

With masks a step takes two exchanges, the vectors and the opening of their sum. A bakery that goes
in between spoils neither; its reply counts if its vector had come. Where too few are left to open a
sum it is lost, which is said, and those who are there make new keys and do the step again.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from flwr.app import RecordDict
from numpy.typing import NDArray

from glean.errors import FederationError, ModelError, SecureSumError
from glean.federation.council import ATTEMPTS, Council
from glean.federation.final_sums import FIELDS, summed
from glean.federation.global_model import GlobalModel
from glean.federation.masked_sums import MaskedSums
from glean.federation.messages import Task, named_sums
from glean.federation.orders import FINAL, MOMENTS, SCORES, TOTALS, WIDTHS, Orders
from glean.federation.score_words import SCORE_WORDS, from_words, score_sums
from glean.federation.step_messages import StepReply, StepTask
from glean.federation.width_sums import COUNT_WORDS, MOMENT_WORDS, Widths, variance_of
from glean.metrics import ErrorSums
from glean.privacy.mask_graph import FEWEST_BAKERIES
from glean.sales.table import ALL_BAKERIES

LOG = logging.getLogger("glean")

STEP = "train.step"

Floats = NDArray[np.float64]
Words = NDArray[np.int64]

_DEVICE = re.compile(r"(cpu|cuda(:[0-9]+)?)?")


@dataclass(frozen=True)
class Totals:
    """What the federation's sums are relative to.

    Parameters
    ----------
    rows : int
        Training rows of all bakeries.
    unit_weight : float
        Their mean weight, that is the mean level.
    parties : int
        Bakeries that are asked at most.
    """

    rows: int
    unit_weight: float
    parties: int


@dataclass(frozen=True)
class StepResult:
    """What came of a step.

    Parameters
    ----------
    replies : dict of str to StepReply
        Of the bakeries whose vectors are in the sum, in text order.
    total : int64 array of shape (length,)
        The sum.
    orders : mapping of str to Orders
        What they were asked.
    """

    replies: dict[str, StepReply]
    total: Words
    orders: Mapping[str, Orders]


class Steps:
    """Has bakeries sum.

    Parameters
    ----------
    council : Council
        The bakeries.
    """

    def __init__(self, council: Council) -> None:
        self._council = council
        self._masks = MaskedSums(council)
        self._number = 0
        self._totals: Totals | None = None

    def totals(self, number: int) -> Totals:
        """Sum up rows and weights, once a run.

        Not again when bakeries join: the difference of two sums would be the newcomer's summand.

        Raises
        ------
        FederationError
            Nobody has rows to learn from.
        """
        if self._totals is None:
            self._totals = self._summed_totals(number)
        return self._totals

    def scores(self, number: int, model: GlobalModel) -> dict[str, ErrorSums]:
        """Have bakeries score a model on their validation windows, in a step of its own.

        Raises
        ------
        FederationError
            There is no valid score.
        """
        shown = self._council.shows_scores
        parts = () if shown else (SCORES,)
        totals = None if shown else self.totals(number)

        def collect(spent: set[str]) -> tuple[tuple[str, ...], dict[str, ErrorSums]]:
            asked = self._council.judges(without=spent)
            order = Orders(parts, parts, shows=shown)
            if totals is not None:
                order = Orders(parts, parts, unit_weight=totals.unit_weight, parties=totals.parties)
            length = SCORE_WORDS * len(parts)
            result = self.run(number, model, dict.fromkeys(asked, order), length=length)
            return asked, self.scores_in(result, hidden=not shown) if result.replies else {}

        return self._council.some(collect, number, f"the evaluate phase of round {number}")[1]

    def finals(self, number: int, *, methods: int) -> Floats:
        """Sum up what bakeries kept of the final test, shape (methods, FIELDS).

        Raises
        ------
        FederationError
            Nobody gave a valid reply.
        """
        totals = self.totals(number)
        order = Orders((FINAL,), (FINAL,), unit_weight=totals.unit_weight, parties=totals.parties)

        def collect(spent: set[str]) -> tuple[Sequence[str], list[Floats]]:
            asked = sorted(self._council.talk.present - spent)
            length = methods * len(FIELDS)
            result = self.run(number, None, dict.fromkeys(asked, order), length=length)
            if not result.replies:
                return asked, []
            unit_weight, parties = order.unit_weight, order.parties
            return asked, [summed(result.total, unit_weight=unit_weight, parties=parties)]

        return self._council.some(collect, number, "the sum of the final scores")[1][0]

    def widths(self, number: int, model: GlobalModel) -> Widths | None:
        """Sum up how far a model is off on the validation windows of those who train.

        None where they are too few to hide each other, or fell silent.
        """
        names = [name for name in self._council.trainers if name in self._council.talk.present]
        if len(names) < FEWEST_BAKERIES:
            return None
        totals = self.totals(number)
        base = Orders((), (), unit_weight=totals.unit_weight, parties=totals.parties)
        order = replace(base, parts=(MOMENTS,), fills=(MOMENTS,))
        result = self.run(number, model, dict.fromkeys(names, order), length=MOMENT_WORDS)
        scale = variance_of(from_words(result.total, parties=totals.parties))
        if scale is None or len(result.replies) < FEWEST_BAKERIES:
            return None
        order = replace(base, parts=(WIDTHS,), fills=(WIDTHS,), scale=scale)
        result = self.run(number, model, dict.fromkeys(result.replies, order), length=COUNT_WORDS)
        counted = result.total.tolist()
        if len(result.replies) < FEWEST_BAKERIES or min(counted) < 0 or not sum(counted):
            return None
        return Widths(scale[0] * totals.unit_weight, scale[1], tuple(counted))

    def scores_in(self, result: StepResult, *, hidden: bool) -> dict[str, ErrorSums]:
        """Read the scores of a step: by bakery, or at the end of the sum for all of them."""
        if not hidden:
            return {n: named_sums(r.sums) for n, r in result.replies.items() if r.sums}
        judges = [name for name in result.replies if SCORES in result.orders[name].fills]
        if not judges:
            return {}
        order = result.orders[judges[0]]
        words = result.total[-SCORE_WORDS:]
        sums = score_sums(words, unit_weight=order.unit_weight, parties=order.parties)
        return {ALL_BAKERIES: sums}

    def run(
        self,
        number: int,
        model: GlobalModel | None,
        orders: Mapping[str, Orders],
        *,
        length: int,
        structures: bytes = b"",
    ) -> StepResult:
        """Do one step.

        Parameters
        ----------
        number : int
            The round.
        model : GlobalModel or None
            What it is about, if it is about a model.
        orders : mapping of str to Orders
            Who is asked what.
        length : int
            Words of the vector; 0 where nothing is summed.
        structures : bytes
            Model file of the trees whose leaves are wanted.

        Raises
        ------
        FederationError
            Vectors are to be masked, and too few bakeries are left for it.
        """
        ask = partial(self._ask, number, model, structures)
        left = dict(orders)
        lost = 0
        while length and self._council.masks(_contributors(left)):
            names = self._masks.prepare(left, number)
            left = {name: orders[name] for name in names}
            self._masks.check(_contributors(left), number)
            replies = ask(left, masked=names, length=length)
            vectors = {name: reply.vector for name, reply in replies.items()}
            try:
                senders, total = self._masks.total(
                    self._number, names, vectors, length=length, number=number
                )
            except SecureSumError as error:
                self._masks.lose(str(error), number)
                lost += 1
                if lost == ATTEMPTS:
                    raise FederationError(
                        f"round {number}: {lost} secure sums were lost in a row: {error}"
                    ) from error
                left = dict(orders)
                if not self._council.insists_on_masks:
                    # Who is there and sent nothing would do so again; the others can go on.
                    usable = replies.keys() | self._masks.keyless
                    left = {name: orders[name] for name in usable & self._council.talk.present}
            else:
                return StepResult({name: replies[name] for name in senders}, total, orders)
        return _plain(ask(left, length=length), orders, length)

    def _ask(
        self,
        number: int,
        model: GlobalModel | None,
        structures: bytes,
        orders: Mapping[str, Orders],
        *,
        length: int,
        masked: tuple[str, ...] = (),
    ) -> dict[str, StepReply]:
        """Ask everyone; the replies that can be trusted. Who lost its keys is none of them."""
        self._number += 1
        texts = {
            order: replace(order, masked=bool(masked)).to_json() for order in {*orders.values()}
        }
        participants = self._masks.marks(masked) if masked else b""
        # Most bakeries are asked the same.
        records: dict[StepTask, RecordDict] = {}

        def record_of(name: str, task: Task) -> RecordDict:
            asked = StepTask(
                **vars(task),
                number=self._number,
                orders=texts[orders[name]],
                structures=structures,
                participants=participants,
                roster=self._masks.roster_for(name) if masked else b"",
            )
            if asked not in records:
                records[asked] = asked.to_record()
            return records[asked]

        talk = self._council.talk
        found: dict[str, StepReply] = {}
        replies = self._council.converse(
            STEP, orders, model, number=number, form=StepReply, record_of=record_of
        )
        for name, reply in replies.items():
            try:
                self._check(reply, orders[name])
                if not masked:
                    _check_length(reply.vector, length)
            except ModelError as error:
                talk.report_failure(name, str(error), round_number=number)
            else:
                if masked and reply.lacks_keys:
                    self._masks.lack(name)
                else:
                    found[name] = reply
        return found

    def _check(self, reply: StepReply, order: Orders) -> None:
        if order.fills and reply.definition != self._council.aggregator.definition.identity:
            raise ModelError(f"found features {reply.definition[:12]}; another feature definition")
        if not _DEVICE.fullmatch(reply.device):
            raise ModelError(f"found device {reply.device!r:.80}; wanted cpu or like cuda:0")
        if order.shows and not reply.lacks_keys:
            named_sums(reply.sums)
        if bool(reply.sums) and not order.shows:
            raise ModelError("found scores that weren't asked for")

    def _summed_totals(self, number: int) -> Totals:
        parties = len(self._council.talk.met)
        order = Orders((TOTALS,), (TOTALS,), parties=parties)

        def collect(spent: set[str]) -> tuple[Sequence[str], list[Totals]]:
            asked = sorted(self._council.talk.present - spent)
            result = self.run(number, None, dict.fromkeys(asked, order), length=2)
            if not result.replies:
                return asked, []
            rows = int(result.total[0])
            weight = float(from_words(result.total[1:], parties=parties)[0])
            if rows <= 0 or weight <= 0:
                raise FederationError(
                    "the bakeries that are present have no rows to learn from: found "
                    f"{rows} rows that weigh {weight:g}"
                )
            return asked, [Totals(rows, weight / rows, parties)]

        return self._council.some(collect, number, "the count of training rows")[1][0]


def _contributors(orders: Mapping[str, Orders]) -> int:
    """Count the bakeries that fill the part of the vector that the fewest fill."""
    parts = {part for order in orders.values() for part in order.parts}
    return min((sum(part in order.fills for order in orders.values()) for part in parts), default=0)


def _check_length(vector: bytes, length: int) -> None:
    if len(vector) != 8 * length:
        raise ModelError(f"found a vector of {len(vector)} bytes; wanted {8 * length}")


def _plain(
    replies: Mapping[str, StepReply], orders: Mapping[str, Orders], length: int
) -> StepResult:
    total = np.zeros(length, dtype=np.uint64)
    for reply in replies.values():
        if length:
            total += np.frombuffer(reply.vector, dtype="<u8")
    return StepResult(dict(replies), total.view(np.int64), orders)
