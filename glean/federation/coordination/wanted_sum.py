"""A sum that is to be made: of whom what is wanted, and when it stays unopened."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from glean.federation.coordination.global_model import GlobalModel
from glean.federation.coordination.sum_result import SumResult
from glean.federation.wire.sum_request import SumRequest


@dataclass(frozen=True)
class WantedSum:
    """One sum to be made; its fields are what `SumRounds.run` is given."""

    number: int
    model: GlobalModel | None
    requests: Mapping[str, SumRequest]
    length: int
    structures: bytes
    complete: bool
    at_least: int

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


def fewest_contributors(requests: Mapping[str, SumRequest]) -> int:
    """Count the bakeries that contribute the part of the vector that the fewest contribute."""
    parts = {part for request in requests.values() for part in request.parts}
    return min(
        (sum(part in request.contributes for request in requests.values()) for part in parts),
        default=0,
    )
