"""What a bakery shall put into its vector of a sum.

Each bakery sends one vector, and the server only needs the sum over all of them. Vectors are whole
numbers modulo 2**64: what is no count is rounded to fixed point, by a public scale.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache

from glean.errors import ModelError, SecureSumError
from glean.privacy.place_sets import set_from_text, set_to_text

TOTALS = "totals"
"""Training rows, and the sum of their weights."""

SCORES = "scores"
"""Sums of errors over the validation window."""

FINAL = "final"
"""Sums of errors over the test window, for each method."""

WEIGHTS = "weights"
"""Weights after training, times the bakery's own weight; and that."""

WEIGHT_STEPS = "weight steps"
"""What training changed in the weights, times the bakery's own weight; and not that."""

QUANTISED_STEPS = "quantised steps"
"""The same in few bits, as a share of what all in the sum weigh."""

CLIENT_STEPS = "client steps"
"""What training changed in the weights, clipped as a whole, and the same for each client."""

WHOLE = "whole weights"
"""No number: who contributes it trains all weights, and so many as the floor have to."""

LEAVES = "leaves"
"""Gradient and hessian sums of each leaf of the structures."""

LEAF_GRADIENTS = "leaf gradients"
"""Gradient sums alone of each leaf of the structures."""

PRESENCE = "presence"
"""By node of the structures, 1 where the bakery has rows in it."""

HISTOGRAMS = "histograms"
"""Gradient and hessian histograms of the nodes that are to be split next."""

DAY_HESSIANS = "day hessians"
"""Weight of the rows in each leaf of all random trees of a run; no day adds more than a bound."""

DAY_GRADIENTS = "day gradients"
"""Clipped gradient sums of each leaf of a round's random trees; no day adds more than a bound."""

CLIPPED_SCORE = "clipped score"
"""The primary metric over the validation window, clipped to 0 to 1."""

CLIPPED_FINAL = "clipped final scores"
"""The primary metric over the test window by method, each clipped to 0 to 1."""

LEARNED = frozenset(
    {
        LEAVES,
        LEAF_GRADIENTS,
        HISTOGRAMS,
        DAY_GRADIENTS,
        WEIGHTS,
        WEIGHT_STEPS,
        QUANTISED_STEPS,
        CLIENT_STEPS,
    }
)
"""Parts in which it is summed what clients learn from a model, the same numbers in each."""

_TUPLES = ("parts", "contributes", "scale", "contributors")
_LIMITS = {
    "word_bits": (2, 64),
    "rows": (0, 2**32),
    "num_clients": (1, 2**20),
    "unit_weight": (2.0**-64, 2.0**64),
}


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
    contributors : tuple of str
        For each part the set over the cohort of those who contribute it (`place_sets.set_to_text`):
        in a request that is the same for all, in place of `contributes`.
    scorers : str
        Likewise, in place of `with_scores`.
    word_bits : int
        Lowest bits of each number that travel.
    tested : str
        Of which final test the scores are wanted (`final_test_sums.name_of_test`); "" without such.

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
    contributors: tuple[str, ...] = ()
    scorers: str = ""
    word_bits: int = 64
    tested: str = ""

    @classmethod
    def shared(
        cls, requests: Mapping[str, SumRequest], bitmap: Callable[[Collection[str]], int]
    ) -> SumRequest:
        """Make the one request from which each bakery reads what it contributes itself.

        What all bakeries are told is then the same to the byte, so that masks can be bound to it.

        Parameters
        ----------
        requests : mapping of str to SumRequest
            What each bakery is asked; alike but for `contributes` and `with_scores`.
        bitmap : callable
            Writes names as a set over the cohort.
        """
        common = {replace(one, contributes=(), with_scores=False) for one in requests.values()}
        assert len(common) == 1, "contributors to a sum differ only in what they contribute"
        (request,) = common
        contributors = tuple(
            set_to_text(bitmap([name for name, one in requests.items() if part in one.contributes]))
            for part in request.parts
        )
        scorers = bitmap([name for name, one in requests.items() if one.with_scores])
        return replace(
            request, masked=True, contributors=contributors, scorers=set_to_text(scorers)
        )

    def contributor_sets(self) -> tuple[int, ...]:
        """Give for each part the set of those who contribute it.

        Raises
        ------
        ModelError
            The request isn't one for all.
        """
        return self._sets

    @cached_property
    def _sets(self) -> tuple[int, ...]:
        """As `contributor_sets`; in one process all bakeries read one request."""
        sets = [*self.contributors, self.scorers]
        told = self.contributes or self.with_scores or self.proposes
        if told or len(self.contributors) != len(self.parts) or not all(map(_is_set, sets)):
            raise ModelError(
                "the request of a masked sum: found one for a single contributor; wanted the "
                "same for all, with those who contribute each of its parts"
            )
        return tuple(set_from_text(part) for part in self.contributors)

    def at(self, place: int) -> SumRequest:
        """Read from a request for all what the bakery at a place of the cohort is asked.

        Raises
        ------
        ModelError
            The request isn't one for all.
        """
        sets = self.contributor_sets()
        own = tuple(
            [part for part, members in zip(self.parts, sets, strict=True) if members >> place & 1]
        )
        scores = bool(set_from_text(self.scorers) >> place & 1)
        if (own, scores) not in self._read:
            self._read[own, scores] = replace(self, contributes=own, with_scores=scores)
        return self._read[own, scores]

    @cached_property
    def _read(self) -> dict[tuple[tuple[str, ...], bool], SumRequest]:
        """What bakeries read from it, by what they contribute: most the same."""
        return {}

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
            It isn't one, or counts on a scale that no federation has.
        """
        try:
            found = json.loads(text)
            found |= {name: tuple(found[name]) for name in _TUPLES}
            request = cls(**found)
            _check_scale(request)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ModelError(f"the request of a sum can't be read: {error!r:.200}") from error
        if not {*request.contributes} <= {*request.parts}:
            raise ModelError(
                f"the request of a sum wants {request.contributes!r:.200} of the parts "
                f"{request.parts!r:.200}; wanted some of them"
            )
        if len({*request.parts}) < len(request.parts):
            # Of one with noise two copies would tell more than one is accounted for.
            raise ModelError(
                f"the request of a sum has the parts {request.parts!r:.200}; wanted each once"
            )
        return request


def _check_scale(request: SumRequest) -> None:
    """Refuse what no sum can be counted by, whatever is in it."""
    for name, (low, high) in _LIMITS.items():
        found = getattr(request, name)
        if not low <= found <= high:
            raise ValueError(f"found {name}={found!r:.40}; wanted {low:g} to {high:g}")


def _is_set(text: object) -> bool:
    """Whether a text is one that a set is written as."""
    try:
        return isinstance(text, str) and set_from_text(text) >= 0
    except SecureSumError:
        return False
