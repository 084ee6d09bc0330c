"""One sum that the server wants: who is asked what, and what can come of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glean.errors import FederationError
from glean.federation.coordination.global_model import GlobalModel
from glean.federation.coordination.sum_result import SumResult, summand
from glean.federation.wire.packed_words import WORD_BITS
from glean.federation.wire.sum_request import SumRequest

Encoded = NDArray[np.int64]

Check = Callable[[Encoded], None]
"""Raises ImpossibleSumError where no rows can add up to a sum."""


@dataclass(frozen=True)
class WantedSum:
    """One sum to be made, as `SumRounds.run` is given it."""

    number: int
    model: GlobalModel | None
    requests: Mapping[str, SumRequest]
    length: int
    structures: bytes
    complete: bool
    at_least: int
    check: Check

    @property
    def parts(self) -> str:
        """What is summed, in words."""
        return ", ".join(dict.fromkeys(p for one in self.requests.values() for p in one.parts))

    @property
    def word_bits(self) -> int:
        """Lowest bits of each number that travel."""
        return next((one.word_bits for one in self.requests.values()), WORD_BITS)

    def check_plain(self, vector: bytes) -> None:
        """Check one bakery's vector that carries no mask: it's a sum over that bakery.

        Raises
        ------
        ModelError
            It isn't of the length that is wanted.
        ImpossibleSumError
            Its rows can't have it.
        """
        numbers = summand(vector, self.length)
        if self.length:
            self.check(numbers)

    def check_enough(self, senders: Collection[str]) -> None:
        """Check that so many vectors came as carry the noise accounted for.

        Raises
        ------
        FederationError
            They are fewer.
        """
        if len(senders) < self.at_least:
            raise FederationError(
                f"round {self.number}: found {len(senders)} vectors for a sum that is opened "
                f"with {self.at_least} or more only, which carry the noise accounted for"
            )

    def absent(self, names: Collection[str]) -> frozenset[str]:
        """Name who keeps the sum unopened: contributors of its first part that aren't there."""
        return frozenset(
            name
            for name, request in self.requests.items()
            if self.complete and request.parts[0] in request.contributes and name not in names
        )

    def unopened(self, absent: frozenset[str]) -> SumResult:
        """Give the result without replies."""
        return SumResult({}, np.zeros(self.length, dtype=np.int64), self.requests, absent)


def unchecked(total: Encoded) -> None:
    """Take any sum."""


def fewest_contributors(requests: Mapping[str, SumRequest]) -> int:
    """Count the bakeries that contribute the part of the vector that the fewest contribute."""
    parts = {part for request in requests.values() for part in request.parts}
    return min(
        (sum(part in request.contributes for request in requests.values()) for part in parts),
        default=0,
    )
