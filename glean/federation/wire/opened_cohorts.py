"""Cohorts of which counts, totals, hessians or scores were opened, and which may follow.

A cohort is a set of clients whose numbers are in a sum. The difference of two sums over cohorts
that differ by few tells of these few. So nothing of that kind is opened of a cohort that differs
from an opened one by fewer than the floor; the very same may follow. Gradient sums go on, those of
one model over the same cohort or one that differs by enough.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from glean.federation.wire.sum_request import (
    CLIENT_STEPS,
    CLIPPED_SCORE,
    DAY_GRADIENTS,
    DAY_HESSIANS,
    FINAL,
    HISTOGRAMS,
    LEAF_GRADIENTS,
    LEAVES,
    PRESENCE,
    QUANTISED_STEPS,
    TOTALS,
    WEIGHT_STEPS,
    WEIGHTS,
    WHOLE,
)

TRAINING, VALIDATION, TEST = "training", "validation", "test"
"""Rows of which sums tell sizes or scores."""

_REPEATABLE = frozenset(
    {
        LEAF_GRADIENTS,
        DAY_GRADIENTS,
        WEIGHT_STEPS,
        QUANTISED_STEPS,
        CLIENT_STEPS,
        WHOLE,
        CLIPPED_SCORE,
    }
)
_ROWS = {
    **dict.fromkeys((TOTALS, PRESENCE, LEAVES, WEIGHTS, HISTOGRAMS, DAY_HESSIANS), TRAINING),
    FINAL: TEST,
}

_LEARNED = "learned"

Cohort = frozenset[str]


def rows_told(part: str) -> str:
    """Name the rows that a part tells sizes or scores of; "" where it may be opened over anybody.

    Parts of a workload's own are about the validation window.

    Examples
    --------
    >>> rows_told(TOTALS), rows_told(LEAF_GRADIENTS), rows_told("moments")
    ('training', '', 'validation')
    """
    return "" if part in _REPEATABLE else _ROWS.get(part, VALIDATION)


@dataclass(frozen=True)
class OpenedCohorts:
    """Cohorts that were opened.

    Parameters
    ----------
    cohorts : mapping of str to tuple of frozenset of str
        By the rows that they were opened about, in the order in which that was first done.
    learned : mapping of frozenset of str to frozenset of str
        By cohort the models from which it was summed over it what clients learn, by a name of each.
    """

    cohorts: Mapping[str, tuple[Cohort, ...]] = field(default_factory=dict)
    learned: Mapping[Cohort, frozenset[str]] = field(default_factory=dict)

    def too_like(self, rows: str, names: Collection[str], *, floor: int) -> Cohort | None:
        """Find an opened cohort from which this one differs by too few; None: it may be opened.

        Parameters
        ----------
        rows : str
            What the sum is about.
        names : collection of str
            Whose numbers would be in it.
        floor : int
            So many at least have to be in one and not in the other; 0 asks for nothing.

        Examples
        --------
        >>> opened = OpenedCohorts().plus("training", "abcde")
        >>> opened.too_like("training", "abcd", floor=3) == frozenset("abcde")
        True
        >>> opened.too_like("training", "abcdefgh", floor=3) is None
        True
        """
        return _nearest(names, self.cohorts.get(rows, ()), floor=floor)

    def within(self, rows: str, there: Collection[str]) -> Cohort | None:
        """Give the first opened cohort of which all are there; None where there is none."""
        present = frozenset(there)
        return next((one for one in self.cohorts.get(rows, ()) if one <= present), None)

    def plus(self, rows: str, names: Iterable[str]) -> Self:
        """Note that a cohort was opened."""
        cohort, known = frozenset(names), self.cohorts.get(rows, ())
        if not cohort or cohort in known:
            return self
        return replace(self, cohorts={**self.cohorts, rows: (*known, cohort)})

    def learned_from(self, model: str) -> frozenset[Cohort]:
        """Give the cohorts over which it was summed what clients learn from a model.

        Examples
        --------
        >>> opened = OpenedCohorts().plus_learned("model", "abc").plus_learned("other", "ab")
        >>> opened.learned_from("model") == {frozenset("abc")}
        True
        """
        return frozenset(cohort for cohort, models in self.learned.items() if model in models)

    def learned_too_like(self, model: str, names: Collection[str], *, floor: int) -> Cohort | None:
        """Find a cohort of which was learned from a model, and from which this one differs so."""
        return _nearest(names, self.learned_from(model), floor=floor)

    def plus_learned(self, model: str, names: Iterable[str]) -> Self:
        """Note that it was summed over a cohort what clients learn from a model."""
        cohort = frozenset(names)
        known = self.learned.get(cohort, frozenset())
        if not cohort or model in known:
            return self
        return replace(self, learned={**self.learned, cohort: known | {model}})

    def to_lists(self) -> dict[str, list[list[str]] | list[list[list[str]]]]:
        """Write them for JSON; `from_lists` reads it."""
        learned = [[sorted(cohort), sorted(models)] for cohort, models in self.learned.items()]
        opened = {rows: [sorted(one) for one in cohorts] for rows, cohorts in self.cohorts.items()}
        return {**opened, _LEARNED: learned}

    @classmethod
    def from_lists(cls, found: Mapping[str, Iterable[Iterable[Any]]]) -> Self:
        """Read what `to_lists` wrote.

        Raises
        ------
        TypeError, ValueError, AttributeError
            It is something else.
        """
        learned = {frozenset(names): frozenset(models) for names, models in found.get(_LEARNED, ())}
        opened = {
            rows: tuple(frozenset(one) for one in cohorts)
            for rows, cohorts in found.items()
            if rows != _LEARNED
        }
        return cls(opened, learned)


def _nearest(names: Collection[str], known: Iterable[Cohort], *, floor: int) -> Cohort | None:
    wanted = frozenset(names)
    return next((one for one in known if 0 < len(one ^ wanted) < floor), None)
