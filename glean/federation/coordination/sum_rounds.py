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

from glean.aggregation.error_histogram import (
    COUNTS_LENGTH,
    MOMENTS_LENGTH,
    ErrorDistribution,
    variance_of,
)
from glean.aggregation.metric_sums import SUMS_LENGTH, decode, decode_sums
from glean.errors import FederationError, ModelError, SecureSumError
from glean.federation.coordination.client_manager import ATTEMPTS, ClientManager
from glean.federation.coordination.global_model import GlobalModel
from glean.federation.coordination.secagg_server import SecAggServer
from glean.federation.wire.final_test_sums import FIELDS, summed
from glean.federation.wire.messages import Task, named_sums
from glean.federation.wire.sum_messages import SumReply, SumTask
from glean.federation.wire.sum_request import (
    ERROR_COUNTS,
    FINAL,
    MOMENTS,
    SCORES,
    TOTALS,
    SumRequest,
)
from glean.metrics import ErrorSums
from glean.privacy.mask_graph import FEWEST_BAKERIES
from glean.sales.table import ALL_BAKERIES

LOG = logging.getLogger("glean")

SUM = "train.step"

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
    num_clients: int


@dataclass(frozen=True)
class SumResult:
    """What came of a step.

    Parameters
    ----------
    replies : dict of str to SumReply
        Of the bakeries whose vectors are in the sum, in text order.
    total : int64 array of shape (length,)
        The sum.
    orders : mapping of str to SumRequest
        What they were asked.
    """

    replies: dict[str, SumReply]
    total: Words
    requests: Mapping[str, SumRequest]


class SumRounds:
    """Has bakeries sum.

    Parameters
    ----------
    council : ClientManager
        The bakeries.
    """

    def __init__(self, manager: ClientManager) -> None:
        self._manager = manager
        self._secagg = SecAggServer(manager)
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
        shown = self._manager.shows_scores
        parts = () if shown else (SCORES,)
        totals = None if shown else self.totals(number)

        def collect(spent: set[str]) -> tuple[tuple[str, ...], dict[str, ErrorSums]]:
            asked = self._manager.sample_evaluators(without=spent)
            order = SumRequest(parts, parts, with_scores=shown)
            if totals is not None:
                order = SumRequest(
                    parts, parts, unit_weight=totals.unit_weight, num_clients=totals.num_clients
                )
            length = SUMS_LENGTH * len(parts)
            result = self.run(number, model, dict.fromkeys(asked, order), length=length)
            return asked, self.scores_in(result, hidden=not shown) if result.replies else {}

        return self._manager.some(collect, number, f"the evaluate phase of round {number}")[1]

    def test_sums(self, number: int, *, methods: int) -> Floats:
        """Sum up what bakeries kept of the final test, shape (methods, FIELDS).

        Raises
        ------
        FederationError
            Nobody gave a valid reply.
        """
        totals = self.totals(number)
        order = SumRequest(
            (FINAL,), (FINAL,), unit_weight=totals.unit_weight, num_clients=totals.num_clients
        )

        def collect(spent: set[str]) -> tuple[Sequence[str], list[Floats]]:
            asked = sorted(self._manager.clients.present - spent)
            length = methods * len(FIELDS)
            result = self.run(number, None, dict.fromkeys(asked, order), length=length)
            if not result.replies:
                return asked, []
            unit_weight, parties = order.unit_weight, order.num_clients
            return asked, [summed(result.total, unit_weight=unit_weight, num_clients=parties)]

        return self._manager.some(collect, number, "the sum of the final scores")[1][0]

    def error_distribution(self, number: int, model: GlobalModel) -> ErrorDistribution | None:
        """Sum up how far a model is off on the validation windows of those who train.

        None where they are too few to hide each other, or fell silent.
        """
        names = [name for name in self._manager.trainers if name in self._manager.clients.present]
        if len(names) < FEWEST_BAKERIES:
            return None
        totals = self.totals(number)
        base = SumRequest((), (), unit_weight=totals.unit_weight, num_clients=totals.num_clients)
        order = replace(base, parts=(MOMENTS,), contributes=(MOMENTS,))
        result = self.run(number, model, dict.fromkeys(names, order), length=MOMENTS_LENGTH)
        scale = variance_of(decode(result.total, num_clients=totals.num_clients))
        if scale is None or len(result.replies) < FEWEST_BAKERIES:
            return None
        order = replace(base, parts=(ERROR_COUNTS,), contributes=(ERROR_COUNTS,), scale=scale)
        result = self.run(number, model, dict.fromkeys(result.replies, order), length=COUNTS_LENGTH)
        counted = result.total.tolist()
        if len(result.replies) < FEWEST_BAKERIES or min(counted) < 0 or not sum(counted):
            return None
        return ErrorDistribution(scale[0] * totals.unit_weight, scale[1], tuple(counted))

    def scores_in(self, result: SumResult, *, hidden: bool) -> dict[str, ErrorSums]:
        """Read the scores of a step: by bakery, or at the end of the sum for all of them."""
        if not hidden:
            return {n: named_sums(r.sums) for n, r in result.replies.items() if r.sums}
        judges = [name for name in result.replies if SCORES in result.requests[name].contributes]
        if not judges:
            return {}
        order = result.requests[judges[0]]
        words = result.total[-SUMS_LENGTH:]
        sums = decode_sums(words, unit_weight=order.unit_weight, num_clients=order.num_clients)
        return {ALL_BAKERIES: sums}

    def run(
        self,
        number: int,
        model: GlobalModel | None,
        orders: Mapping[str, SumRequest],
        *,
        length: int,
        structures: bytes = b"",
    ) -> SumResult:
        """Do one step.

        Parameters
        ----------
        number : int
            The round.
        model : GlobalModel or None
            What it is about, if it is about a model.
        orders : mapping of str to SumRequest
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
        while length and self._manager.uses_secagg(_contributors(left)):
            names = self._secagg.prepare(left, number)
            left = {name: orders[name] for name in names}
            self._secagg.check(_contributors(left), number)
            replies = ask(left, masked=names, length=length)
            vectors = {name: reply.vector for name, reply in replies.items()}
            try:
                senders, total = self._secagg.total(
                    self._number, names, vectors, length=length, number=number
                )
            except SecureSumError as error:
                self._secagg.abandon(str(error), number)
                lost += 1
                if lost == ATTEMPTS:
                    raise FederationError(
                        f"round {number}: {lost} secure sums were lost in a row: {error}"
                    ) from error
                left = dict(orders)
                if not self._manager.requires_secagg:
                    # Who is there and sent nothing would do so again; the others can go on.
                    usable = replies.keys() | self._secagg.without_keys
                    left = {name: orders[name] for name in usable & self._manager.clients.present}
            else:
                return SumResult({name: replies[name] for name in senders}, total, orders)
        return _plain(ask(left, length=length), orders, length)

    def _ask(
        self,
        number: int,
        model: GlobalModel | None,
        structures: bytes,
        orders: Mapping[str, SumRequest],
        *,
        length: int,
        masked: tuple[str, ...] = (),
    ) -> dict[str, SumReply]:
        """Ask everyone; the replies that can be trusted. Who lost its keys is none of them."""
        self._number += 1
        texts = {
            order: replace(order, masked=bool(masked)).to_json() for order in {*orders.values()}
        }
        participants = self._secagg.bitmap(masked) if masked else b""
        # Most bakeries are asked the same.
        records: dict[SumTask, RecordDict] = {}

        def record_of(name: str, task: Task) -> RecordDict:
            asked = SumTask(
                **vars(task),
                number=self._number,
                request=texts[orders[name]],
                structures=structures,
                participants=participants,
                cohort=self._secagg.cohort_for(name) if masked else b"",
            )
            if asked not in records:
                records[asked] = asked.to_record()
            return records[asked]

        clients = self._manager.clients
        found: dict[str, SumReply] = {}
        replies = self._manager.request(
            SUM, orders, model, number=number, form=SumReply, record_of=record_of
        )
        for name, reply in replies.items():
            try:
                self._check(reply, orders[name])
                if not masked:
                    _check_length(reply.vector, length)
            except ModelError as error:
                clients.report_failure(name, str(error), round_number=number)
            else:
                if masked and reply.lacks_keys:
                    self._secagg.forget_keys_of(name)
                else:
                    found[name] = reply
        return found

    def _check(self, reply: SumReply, order: SumRequest) -> None:
        if order.contributes and reply.definition != self._manager.aggregator.definition.identity:
            raise ModelError(f"found features {reply.definition[:12]}; another feature definition")
        if not _DEVICE.fullmatch(reply.device):
            raise ModelError(f"found device {reply.device!r:.80}; wanted cpu or like cuda:0")
        if order.with_scores and not reply.lacks_keys:
            named_sums(reply.sums)
        if bool(reply.sums) and not order.with_scores:
            raise ModelError("found scores that weren't asked for")

    def _summed_totals(self, number: int) -> Totals:
        parties = len(self._manager.clients.registered)
        order = SumRequest((TOTALS,), (TOTALS,), num_clients=parties)

        def collect(spent: set[str]) -> tuple[Sequence[str], list[Totals]]:
            asked = sorted(self._manager.clients.present - spent)
            result = self.run(number, None, dict.fromkeys(asked, order), length=2)
            if not result.replies:
                return asked, []
            rows = int(result.total[0])
            weight = float(decode(result.total[1:], num_clients=parties)[0])
            if rows <= 0 or weight <= 0:
                raise FederationError(
                    "the bakeries that are present have no rows to learn from: found "
                    f"{rows} rows that weigh {weight:g}"
                )
            return asked, [Totals(rows, weight / rows, parties)]

        return self._manager.some(collect, number, "the count of training rows")[1][0]


def _contributors(orders: Mapping[str, SumRequest]) -> int:
    """Count the bakeries that fill the part of the vector that the fewest fill."""
    parts = {part for order in orders.values() for part in order.parts}
    return min(
        (sum(part in order.contributes for order in orders.values()) for part in parts), default=0
    )


def _check_length(vector: bytes, length: int) -> None:
    if len(vector) != 8 * length:
        raise ModelError(f"found a vector of {len(vector)} bytes; wanted {8 * length}")


def _plain(
    replies: Mapping[str, SumReply], orders: Mapping[str, SumRequest], length: int
) -> SumResult:
    total = np.zeros(length, dtype=np.uint64)
    for reply in replies.values():
        if length:
            total += np.frombuffer(reply.vector, dtype="<u8")
    return SumResult(dict(replies), total.view(np.int64), orders)
