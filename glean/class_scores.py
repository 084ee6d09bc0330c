"""How well a classifier tells classes, from counts that add up over clients.

All metrics follow from the counts of a client or of several: who was taken for whom, how sure the
classifier was, and of two classes how its probabilities lie.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from glean.classification import SMALLEST_PROBABILITY
from glean.errors import ModelError

Floats = NDArray[np.float64]

BINS = 15
"""Of the confidence, for the calibration error, as in Guo et al. 2017."""

STEPS = 200
"""Bins of the probability of the second of two classes, for the area under the ROC curve."""

METRICS = (
    "log_loss",
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "auc",
    "calibration_error",
)


@dataclass(frozen=True, eq=False)
class ClassScores:
    """Counts over rows.

    Parameters
    ----------
    log_losses : float
        Sum of -log of the probability given to the true class, nats.
    confusion : float64 array of shape (classes, classes)
        Rows of a class (first axis) that were taken for a class (second axis).
    confidence : float64 array of shape (BINS, 3)
        By the probability of the most probable class: rows, sum of that probability, hits.
    ranking : float64 array of shape (2, STEPS)
        Of two classes, rows of the first and of the second by the probability of the second; of
        more classes of shape (2, 0).

    Examples
    --------
    >>> scores = ClassScores.of(np.array([0, 1]), np.array([[0.9, 0.1], [0.6, 0.4]]))
    >>> scores.accuracy, scores.auc
    (0.5, 1.0)
    """

    log_losses: float
    confusion: Floats
    confidence: Floats
    ranking: Floats

    @classmethod
    def of(cls, labels: NDArray[np.integer], probabilities: Floats) -> Self:
        """Count rows: `labels` of shape (rows,), `probabilities` of shape (rows, classes)."""
        rows, classes = probabilities.shape
        predicted = probabilities.argmax(axis=1)
        confusion = np.zeros((classes, classes))
        np.add.at(confusion, (labels, predicted), 1.0)
        sure = probabilities[np.arange(rows), predicted]
        at = np.minimum((sure * BINS).astype(np.int64), BINS - 1)
        confidence = np.zeros((BINS, 3))
        np.add.at(confidence, at, np.column_stack([np.ones(rows), sure, predicted == labels]))
        ranking = np.zeros((2, _ranking_bins(classes)))
        if classes == 2:
            steps = np.minimum((probabilities[:, 1] * STEPS).astype(np.int64), STEPS - 1)
            np.add.at(ranking, (labels, steps), 1.0)
        true = np.clip(probabilities[np.arange(rows), labels], SMALLEST_PROBABILITY, 1.0)
        return cls(float(-np.log(true).sum()), confusion, confidence, ranking)

    @classmethod
    def none(cls, classes: int) -> Self:
        """Give the scores of no rows."""
        return cls.of(np.empty(0, dtype=np.int64), np.empty((0, classes)))

    @classmethod
    def length(cls, classes: int) -> int:
        """Give the number of numbers that so many classes take."""
        return 1 + classes**2 + BINS * 3 + 2 * _ranking_bins(classes)

    def to_vector(self) -> Floats:
        """Write them one after the other, shape (length,)."""
        arrays = (self.confusion, self.confidence, self.ranking)
        return np.concatenate([[self.log_losses], *(array.ravel() for array in arrays)])

    @classmethod
    def from_vector(cls, values: Floats, classes: int) -> Self:
        """Read `to_vector`'s numbers, or the sum of several clients', which may come from anyone.

        Raises
        ------
        ModelError
            There are more or fewer, or no rows can have them.
        """
        if values.shape != (cls.length(classes),):
            raise ModelError(
                f"found {values.size} counts of a classifier; wanted {cls.length(classes)}"
            )
        if not (np.isfinite(values).all() and (values >= -_SLACK).all()):
            raise ModelError("found counts of a classifier that are negative or aren't finite")
        ends = np.cumsum([1, classes**2, BINS * 3])
        _, confusion, confidence, ranking = np.split(values, ends)
        found = cls(
            float(values[0]),
            confusion.reshape(classes, classes),
            confidence.reshape(BINS, 3),
            ranking.reshape(2, -1),
        )
        if abs(found.confidence[:, 0].sum() - found.rows) > _SLACK * found.rows + _SLACK:
            raise ModelError("found counts of a classifier that don't fit together")
        return found

    def __add__(self, other: Self) -> Self:
        return replace(
            self,
            log_losses=self.log_losses + other.log_losses,
            confusion=self.confusion + other.confusion,
            confidence=self.confidence + other.confidence,
            ranking=self.ranking + other.ranking,
        )

    @property
    def rows(self) -> float:
        """Number of rows."""
        return float(self.confusion.sum())

    @property
    def log_loss(self) -> float:
        """Mean log loss, nats; NaN without rows."""
        return _share(self.log_losses, self.rows)

    @property
    def accuracy(self) -> float:
        """Share of hits; NaN without rows."""
        return _share(float(np.trace(self.confusion)), self.rows)

    @property
    def balanced_accuracy(self) -> float:
        """Mean over the classes that there are of the share of each that was hit."""
        there = self.confusion.sum(axis=1) > 0
        if not there.any():
            return float("nan")
        hits = np.diag(self.confusion)[there]
        return float((hits / self.confusion.sum(axis=1)[there]).mean())

    @property
    def macro_f1(self) -> float:
        """Mean over the classes, of which some row is or for which one was taken, of F1."""
        both = self.confusion.sum(axis=0) + self.confusion.sum(axis=1)
        if not (both > 0).any():
            return float("nan")
        return float((2.0 * np.diag(self.confusion)[both > 0] / both[both > 0]).mean())

    @property
    def auc(self) -> float:
        """Area under the ROC curve of two classes, ties counting half; NaN for others.

        Probabilities in one of `STEPS` bins are taken for ties.
        """
        first, second = self.ranking
        below = np.cumsum(first) - first
        return _share(float((second * (below + first / 2)).sum()), first.sum() * second.sum())

    @property
    def calibration_error(self) -> float:
        """Mean distance of confidence and accuracy over the bins, the ECE of Guo et al. 2017."""
        _, sure, hits = self.confidence.T
        return _share(float(np.abs(sure - hits).sum()), self.rows)

    def metrics(self) -> dict[str, float]:
        """Give all `METRICS`."""
        return {name: float(getattr(self, name)) for name in METRICS}


_SLACK = 1e-3
"""What rounding in a sum over clients may have moved a count by."""


def _ranking_bins(classes: int) -> int:
    return STEPS if classes == 2 else 0


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")
