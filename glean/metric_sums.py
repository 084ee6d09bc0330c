"""Sums over rows that metrics are ratios of: what clients add up, whatever the workload measures.

A workload's kind of sums is a frozen dataclass of floats derived from `MetricSums`; its first field
is `rows`. `glean.aggregation.metric_sums` writes them as whole numbers for a secure sum.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, fields
from typing import ClassVar, Self

from glean.errors import ModelError

ALL_CLIENTS = "(all)"
"""Stands for all clients together, where each keeps its own sums to itself."""

LARGEST_SUM = 1e30
"""More than a client's errors, or their squares, come to in any unit; sums of many are finite."""


@dataclass(frozen=True)
class MetricSums:
    """Sums of one client or of several; those of two clients add up to those of both.

    Attributes
    ----------
    COLUMNS : tuple of str
        Names of the metrics, columns of `rounds.csv`. The first one is primary: by it the best
        round is chosen and training stops early, and lower is better.
    UNIT_POWERS : tuple of int
        By field, the power of the data's unit that it is counted in: 0 for a count, 1 for a sum of
        units, 2 for one of squares.
    SIGNED : frozenset of str
        Fields that may be negative.
    BOUNDED : str
        Which of them noise is put on: one from 0 to 1, or cut to it; "" the primary one.
    LEAST_SCALE : float
        What a change of the primary metric is relative to where the metric itself is smaller: a
        loss that can come near zero is many times as large after a round by chance.
    """

    COLUMNS: ClassVar[tuple[str, ...]]
    UNIT_POWERS: ClassVar[tuple[int, ...]]
    SIGNED: ClassVar[frozenset[str]] = frozenset()
    BOUNDED: ClassVar[str] = ""
    LEAST_SCALE: ClassVar[float] = 0.0

    rows: float = 0.0

    @abstractmethod
    def metrics(self) -> dict[str, float]:
        """Give the value of each of `COLUMNS`; NaN where there are no rows."""

    @property
    def primary(self) -> float:
        """The metric that models are compared by; lower is better."""
        return self.metrics()[self.COLUMNS[0]]

    @property
    def bounded(self) -> float:
        """What a run with noise opens of these sums: from 0 to 1, or cut to it; lower is better."""
        return self.primary

    @property
    def as_tuple(self) -> tuple[float, ...]:
        """The fields in their order."""
        return tuple(vars(self).values())

    @classmethod
    def length(cls) -> int:
        """Give the number of fields."""
        return len(fields(cls))

    @classmethod
    def from_values(cls, values: tuple[float, ...]) -> Self:
        """Give sums that came from elsewhere their names back.

        Raises
        ------
        ModelError
            There aren't as many as there should be, or no rows can have them (`impossible`).
        """
        names = [item.name for item in fields(cls)]
        if len(values) != len(names):
            raise ModelError(f"found {len(values)} sums of errors; wanted {len(names)}")
        sums = cls(*values)
        if why := sums.impossible():
            raise ModelError(why)
        return sums

    def impossible(self, slack: float = 0.0) -> str:
        """Say why no rows can have these sums; "" where some can.

        Parameters
        ----------
        slack : float
            What rounding may have added to a field or taken from it.
        """
        named = dict(zip([item.name for item in fields(self)], self.as_tuple, strict=True))
        if not all(abs(value) <= LARGEST_SUM for value in named.values()):
            return f"found a sum of errors that isn't finite or beyond {LARGEST_SUM:g}: {self}"
        if min(value for name, value in named.items() if name not in self.SIGNED) < -slack:
            return f"found a negative sum of errors: {self}"
        return ""

    @classmethod
    def of_bounded(cls, value: float) -> Self:
        """Make sums of which only `bounded` is known, like a mean over clients with noise.

        Raises
        ------
        ModelError
            This kind of sums can't say that.
        """
        raise ModelError(f"{cls.__name__} can't be told by {cls.COLUMNS[0]} {value:g} alone")

    def __add__(self, other: Self) -> Self:
        return type(self)(*(a + b for a, b in zip(self.as_tuple, other.as_tuple, strict=True)))


def written_score(value: float, noise: float | None, *, digits: int) -> str:
    """Write a score, with the standard deviation of its noise if it has any.

    Examples
    --------
    >>> written_score(0.1552, 0.0693, digits=3), written_score(0.1552, None, digits=3)
    ('0.155 ± 0.069', '0.155')
    """
    return f"{value:.{digits}f}" + (f" ± {noise:.{digits}f}" if noise else "")


_LONGEST_ACRONYM = 4


def metric_label(column: str) -> str:
    """Write the name of a metric for people.

    Examples
    --------
    >>> metric_label("wape"), metric_label("log_loss")
    ('WAPE', 'log loss')
    """
    return column.upper() if len(column) <= _LONGEST_ACRONYM else column.replace("_", " ")
