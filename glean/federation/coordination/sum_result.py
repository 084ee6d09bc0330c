"""What came of a sum over bakeries, and what the federation's sums are relative to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from glean.aggregation import count_bounds
from glean.aggregation.metric_sums import decode
from glean.errors import FederationError
from glean.federation.coordination.reply_checks import check_length
from glean.federation.wire.sum_messages import SumReply
from glean.federation.wire.sum_request import SumRequest

Encoded = NDArray[np.int64]


@dataclass(frozen=True)
class Totals:
    """What the federation's sums are relative to.

    Parameters
    ----------
    rows : int
        Training rows of all bakeries.
    unit_weight : float
        Their mean weight, that is the mean level.
    num_clients : int
        Bakeries that are asked at most.
    """

    rows: int
    unit_weight: float
    num_clients: int


@dataclass(frozen=True)
class SumResult:
    """What came of a sum.

    Parameters
    ----------
    replies : dict of str to SumReply
        Of the bakeries whose vectors are in the sum, in text order.
    total : int64 array of shape (length,)
        The sum.
    requests : mapping of str to SumRequest
        What they were asked.
    absent : frozenset of str
        Who was missing, so that the sum stayed unopened.
    size : int or None
        How many bakeries' sum `total` is an estimate of; None where it is that of the replies.
    groups : mapping of int to SumResult
        Where it was made of those of groups: what came of each that is used.
    """

    replies: dict[str, SumReply]
    total: Encoded
    requests: Mapping[str, SumRequest]
    absent: frozenset[str] = frozenset()
    size: int | None = None
    groups: Mapping[int, SumResult] = field(default_factory=dict)

    @property
    def stands_for(self) -> int:
        """How many bakeries' numbers the total stands for."""
        return len(self.replies) if self.size is None else self.size


def totals_of(total: Encoded, num_clients: int) -> Totals:
    """Read what sums are relative to out of a sum.

    Raises
    ------
    FederationError
        Nobody has rows to learn from.
    """
    rows = int(total[0])
    weight = float(decode(total[1:], num_clients=num_clients)[0])
    if rows <= 0 or weight <= 0:
        raise FederationError(
            "those that are present have no rows to learn from: found "
            f"{rows} rows that weigh {weight:g}"
        )
    return Totals(rows, weight / rows, num_clients)


def check_totals(total: Encoded, *, num_clients: int) -> None:
    """Check a sum that `totals_of` reads.

    Raises
    ------
    ImpossibleSumError
        No rows can have it.
    """
    weight = float(decode(total[1:], num_clients=num_clients)[0])
    count_bounds.check_totals(total, weight=weight, contributors=num_clients)


def summand(vector: bytes, length: int) -> Encoded:
    """Read a vector that carries no mask.

    Raises
    ------
    ModelError
        It isn't of so many words.
    """
    check_length(vector, length)
    return np.frombuffer(vector, dtype="<i8").astype(np.int64, copy=False)


def plain_sum(
    replies: Mapping[str, SumReply], requests: Mapping[str, SumRequest], length: int
) -> SumResult:
    """Add vectors up that carry no mask."""
    total = np.zeros(length, dtype=np.uint64)
    for reply in replies.values():
        if length:
            total += np.frombuffer(reply.vector, dtype="<u8")
    return SumResult(dict(replies), total.view(np.int64), requests)
