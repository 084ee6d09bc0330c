"""Accuracy and log loss of classifiers, as sums that add up over clients."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from glean.metric_sums import MetricSums

Floats = NDArray[np.float64]

SMALLEST_PROBABILITY = float(np.finfo(np.float64).eps)
"""Of zero a log loss would be infinite; scikit-learn clips likewise."""


@dataclass(frozen=True)
class ClassificationSums(MetricSums):
    """Sums over rows of a classifier's log losses and of its hits.

    Parameters
    ----------
    rows : float
        Number of rows.
    log_losses : float
        Sum of -log of the probability given to the true class, nats.
    hits : float
        Number of rows whose most probable class is the true one.

    Examples
    --------
    >>> ClassificationSums.of(np.array([0, 1]), np.array([[0.9, 0.1], [0.6, 0.4]])).accuracy
    0.5
    """

    COLUMNS: ClassVar[tuple[str, ...]] = ("log_loss", "accuracy")
    UNIT_POWERS: ClassVar[tuple[int, ...]] = (0, 0, 0)
    BOUNDED: ClassVar[str] = "accuracy"
    LEAST_SCALE: ClassVar[float] = 1.0

    log_losses: float = 0.0
    hits: float = 0.0

    @classmethod
    def of(cls, labels: NDArray[np.integer], probabilities: Floats) -> ClassificationSums:
        """Sum over rows: `labels` of shape (rows,), `probabilities` of shape (rows, classes)."""
        true = probabilities[np.arange(len(labels)), labels]
        return cls(
            rows=float(len(labels)),
            log_losses=float(-np.log(np.clip(true, SMALLEST_PROBABILITY, 1.0)).sum()),
            hits=float((probabilities.argmax(axis=1) == labels).sum()),
        )

    @property
    def log_loss(self) -> float:
        """Mean log loss, nats; NaN without rows."""
        return self.log_losses / self.rows if self.rows else float("nan")

    @property
    def accuracy(self) -> float:
        """Share of hits; NaN without rows."""
        return self.hits / self.rows if self.rows else float("nan")

    @property
    def bounded(self) -> float:
        """Share of misses, which is in bounds by itself; a log loss isn't."""
        return 1.0 - self.accuracy

    @classmethod
    def of_bounded(cls, value: float) -> ClassificationSums:
        """Make sums of which only the share of misses is known.

        Examples
        --------
        >>> ClassificationSums.of_bounded(0.25).accuracy
        0.75
        """
        return cls(rows=1.0, log_losses=float("nan"), hits=1.0 - value)

    def impossible(self, slack: float = 0.0) -> str:
        """Say why no rows can have these sums; "" where some can."""
        if why := super().impossible(slack):
            return why
        if self.hits > self.rows + 2 * slack:
            return f"found more hits than rows: {self}"
        most = -math.log(SMALLEST_PROBABILITY) * (self.rows + slack) + slack
        if self.log_losses > most * (1.0 + 1e-9):
            return f"found log losses beyond those of the smallest probability: {self}"
        return ""

    def metrics(self) -> dict[str, float]:
        """Give log loss and accuracy."""
        return {"log_loss": self.log_loss, "accuracy": self.accuracy}
