"""What a bakery shall put into its vector of a sum.

Each bakery sends one vector, and the server only needs the sum over all of them. Vectors are whole
numbers modulo 2**64: what is no count is rounded to fixed point, by a public scale.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import lru_cache

from glean.errors import ModelError

TOTALS = "totals"
"""Training rows, and the sum of their weights."""

SCORES = "scores"
"""Sums of errors over the validation window."""

FINAL = "final"
"""Sums of errors over the test window, for each method."""

WEIGHTS = "weights"
"""Weights after training, times the bakery's own weight; and that."""

LEAVES = "leaves"
"""Gradient and hessian sums of each leaf of the structures."""

HISTOGRAMS = "histograms"
"""Gradient and hessian histograms of the nodes that are to be split next."""

DAY_HESSIANS = "day hessians"
"""Weight of the rows in each leaf of all random trees of a run; no day adds more than a bound."""

DAY_GRADIENTS = "day gradients"
"""Clipped gradient sums of each leaf of a round's random trees; no day adds more than a bound."""

CLIPPED_SCORE = "clipped score"
"""The primary metric over the validation window, clipped to 0 to 1."""


@dataclass(frozen=True)
class SumRequest:
    """What a bakery is asked for a sum.

    Parameters
    ----------
    parts : tuple of str
        The parts of the vector, in order; the same for every bakery.
    contributes : tuple of str
        Those of them that this bakery contributes; the others are zeros.
    with_scores : bool
        Whether it also sends its scores as they are, for its row in the run's files.
    proposes : bool
        Whether it sends structures of trees.
    rows : int
        Training rows of the federation.
    unit_weight : float
        Mean weight of a row in the federation; sums are relative to it.
    num_clients : int
        How many bakeries are asked at most.
    histogram_request : str
        JSON of the histograms that are wanted; "" without that part.
    masked : bool
        Whether the vector is to be masked.
    scale : tuple of float
        Numbers that a part of the workload's own needs; else empty.

    Examples
    --------
    >>> request = SumRequest((SCORES,), (SCORES,), unit_weight=2.0)
    >>> SumRequest.from_json(request.to_json()) == request
    True
    """

    parts: tuple[str, ...] = ()
    contributes: tuple[str, ...] = ()
    with_scores: bool = False
    proposes: bool = False
    rows: int = 0
    unit_weight: float = 1.0
    num_clients: int = 1
    histogram_request: str = ""
    masked: bool = False
    scale: tuple[float, ...] = ()

    def to_json(self) -> str:
        """Write it for a message."""
        return json.dumps(asdict(self))

    @classmethod
    @lru_cache(maxsize=8)  # every message of a run comes with the same text
    def from_json(cls, text: str) -> SumRequest:
        """Read `to_json`'s text.

        Raises
        ------
        ModelError
            It isn't one.
        """
        try:
            found = json.loads(text)
            found |= {name: tuple(found[name]) for name in ("parts", "contributes", "scale")}
            request = cls(**found)
        except (ValueError, TypeError, KeyError) as error:
            raise ModelError(f"the request of a sum can't be read: {error!r:.200}") from error
        if not {*request.contributes} <= {*request.parts}:
            raise ModelError(
                f"the request of a sum wants {request.contributes!r:.200} of the parts "
                f"{request.parts!r:.200}; wanted some of them"
            )
        return request
