"""What the server of a run could read: every sum that it opened, worked out from messages alone.

The messages of a sum go in, with the masked vectors and what unmasked them, and the sum comes out,
by the same protocol that the server runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from glean.aggregation.metric_sums import decode_sums
from glean.errors import SecureSumError
from glean.federation.coordination.sum_result import Totals, totals_of
from glean.federation.coordination.sum_rounds import SUM
from glean.federation.coordination.unmasking import UNMASK
from glean.federation.grids.recording import Exchange
from glean.federation.wire.sum_messages import SumReply, SumTask, UnmaskResult, UnmaskTask
from glean.federation.wire.sum_request import SCORES, TOTALS, SumRequest
from glean.metrics import ErrorSums
from glean.privacy.cohort import Cohort, joined
from glean.privacy.mask_messages import MaskedInput
from glean.privacy.place_sets import set_from_bytes
from glean.privacy.secagg_round import SecAggRound

Encoded = NDArray[np.int64]


@dataclass(frozen=True)
class OpenedSum:
    """A sum as the server had it.

    Parameters
    ----------
    round : int
        The round.
    request : SumRequest
        What was asked.
    structures : bytes
        Model file of the trees whose leaves were wanted; empty without.
    senders : tuple of str
        Whose vectors are in it.
    total : int64 array
        The sum.
    """

    round: int
    request: SumRequest
    structures: bytes
    senders: tuple[str, ...]
    total: Encoded

    @property
    def totals(self) -> Totals | None:
        """Rows and mean weight, where they were asked for."""
        if self.request.parts != (TOTALS,):
            return None
        return totals_of(self.total, self.request.num_clients)

    @property
    def scores(self) -> ErrorSums | None:
        """Errors over the validation windows, where they were summed."""
        if SCORES not in self.request.parts:
            return None
        return decode_sums(
            ErrorSums,
            self.total[-ErrorSums.length() :],
            unit_weight=self.request.unit_weight,
            num_clients=self.request.num_clients,
        )


@dataclass(frozen=True)
class Received:
    """What a server received in a run.

    Parameters
    ----------
    sums : tuple of OpenedSum
        In order.
    shown : dict of str to ErrorSums
        The last scores of each bakery that came as they are.
    """

    sums: tuple[OpenedSum, ...]
    shown: dict[str, ErrorSums]


@dataclass
class _Vectors:
    """The messages of one sum."""

    task: SumTask
    cohort: bytes
    sent: dict[str, bytes] = field(default_factory=dict)
    answers: dict[tuple[str, bytes], bytes] = field(default_factory=dict)


def received_by_server(exchanges: Iterable[Exchange]) -> Received:
    """Read what the server of a run received; sums that it couldn't unmask are left out."""
    steps: dict[int, _Vectors] = {}
    names: dict[int, str] = {}
    shown: dict[str, ErrorSums] = {}
    cohorts: dict[int, Cohort] = {}
    parts: dict[bytes, dict[bytes, Cohort]] = {}
    last: dict[int, int] = {}
    for one in exchanges:
        if one.kind == SUM:
            task, reply = SumTask.from_record(one.sent), SumReply.from_record(one.received)
            names[one.node] = reply.bakery
            if task.cohort:
                part = cohorts[one.node] = Cohort.from_bytes(task.cohort)
                parts.setdefault(part.digest, {})[task.cohort] = part
            digest = cohorts[one.node].digest if task.participants else b""
            step = steps.setdefault(task.number, _Vectors(task, digest))
            last[one.node] = task.number
            if reply.vector:
                step.sent[reply.bakery] = reply.vector
            if reply.sums:
                shown[reply.bakery] = ErrorSums.from_values(reply.sums)
        elif one.kind == UNMASK:
            asked = UnmaskTask.from_record(one.sent).request
            answer = UnmaskResult.from_record(one.received).answer
            steps[last[one.node]].answers[names[one.node], asked] = answer
    whole = {digest: joined(found.values()) for digest, found in parts.items()}
    sums = (_unmasked(step, whole.get(step.cohort)) for step in steps.values() if step.sent)
    return Received(tuple(each for each in sums if each is not None), shown)


def _unmasked(step: _Vectors, cohort: Cohort | None) -> OpenedSum | None:
    task = step.task
    request = SumRequest.from_json(task.request)
    if not task.participants:
        vectors = np.stack([np.frombuffer(sent, dtype="<u8") for sent in step.sent.values()])
        total = vectors.sum(axis=0, dtype=np.uint64)
        return OpenedSum(
            task.round, request, task.structures, tuple(step.sent), total.view(np.int64)
        )
    assert cohort is not None, "keys travel before the first masked vector"
    length = len(MaskedInput.from_bytes(next(iter(step.sent.values()))).vector)
    summed = SecAggRound(
        cohort,
        step=task.number,
        participants=set_from_bytes(task.participants),
        length=length,
    )
    try:
        for name, vector in step.sent.items():
            summed.take_input(name, vector)
        while requests := summed.unmask_requests():
            for name, asked in requests.items():
                if (answer := step.answers.get((name, asked.to_bytes()))) is not None:
                    summed.take_reply(name, answer)
        total = summed.result()
    except SecureSumError:
        return None
    return OpenedSum(task.round, request, task.structures, summed.counted, total.view(np.int64))
