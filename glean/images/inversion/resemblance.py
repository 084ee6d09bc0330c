"""Which pictures an attack recovered, and how many it would have by chance.

Alike are pictures by their normalised correlation: the mean product of what is left of them when
each is brought to mean 0 and standard deviation 1, so that brightness and contrast don't count.
What came out is paired with true pictures so that the sum of correlations is largest (Kuhn 1955).
A pair counts as recovered only where nothing less than that very picture explains it:

- what came out is more like its picture than like any of many others of the same class that nobody
  trained on, and than like their mean;
- it is more like its picture than any of these others, or their mean, is.

So an attack that gives a class's mean, or any other picture of the class, recovers nothing. By
chance is the same measure on as many pictures of the same classes that nobody trained on, in place
of the true ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Mask = NDArray[np.bool_]

OTHERS = 100
"""Pictures of a class that a recovered one is told from, where there are so many; of a client that
has more of the class, as many as it has."""

DRAWS = 20
"""Times that chance is tried."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """Pictures with their classes.

    Parameters
    ----------
    brightness : float64 array of shape (pictures, height, width, channels)
        Black 0, white 1.
    labels : int64 array of shape (pictures,)
        Classes.
    """

    brightness: Floats
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def joined(cls, parts: Sequence[Labelled]) -> Labelled:
        """Take several together."""
        return cls(
            np.concatenate([one.brightness for one in parts]),
            np.concatenate([one.labels for one in parts]),
        )

    def at(self, places: NDArray[np.int64]) -> Labelled:
        """Take some of them."""
        return Labelled(self.brightness[places], self.labels[places])


@dataclass(frozen=True, eq=False)
class Pairs:
    """What came out of an attack, paired with pictures.

    Parameters
    ----------
    places : int64 array of shape (pairs,)
        The picture of each.
    out : int64 array of shape (pairs,)
        What came out, by its place.
    likeness : float64 array of shape (pairs,)
        Normalised correlation.
    recovered : bool array of shape (pairs,)
        Whether nothing less than the picture explains it.
    """

    places: NDArray[np.int64]
    out: NDArray[np.int64]
    likeness: Floats
    recovered: Mask


@dataclass(frozen=True, eq=False)
class Recovery:
    """How much of some pictures an attack recovered.

    Parameters
    ----------
    pairs : Pairs
        With the true pictures.
    chance : float
        How many of as many are recovered of pictures that nobody trained on, in the mean.
    likeness, chance_likeness : float
        Mean correlation of pairs, with the true pictures and with such others.
    mean_likeness : float
        Of the pictures in the pairs with the mean of their class.
    other_likeness : float
        Of these with the one most like them among the others.
    """

    pairs: Pairs
    chance: float
    likeness: float
    chance_likeness: float
    mean_likeness: float
    other_likeness: float

    @classmethod
    def of(cls, out: Floats, truth: Labelled, untrained: Labelled, *, seed: int) -> Self:
        """Measure what came out.

        Parameters
        ----------
        out : float64 array of shape (pictures, height, width, channels)
            What came out.
        truth : Labelled
            The pictures that the update was learned from.
        untrained : Labelled
            Pictures that nobody trained on.
        seed : int
            Draws which of these are which.
        """
        rng = np.random.default_rng(seed)
        bar, spare = _split(truth.labels, untrained, rng)
        pairs = paired(out, truth, bar)
        trials = [
            paired(out, drawn, bar)
            for drawn in (_alike(truth.labels, spare, rng) for _ in range(DRAWS))
            if len(drawn)
        ]
        means, others = _bars(truth.at(pairs.places), bar)
        return cls(
            pairs,
            float(np.mean([trial.recovered.sum() for trial in trials])) if trials else 0.0,
            float(pairs.likeness.mean()),
            float(np.mean([trial.likeness.mean() for trial in trials])) if trials else 0.0,
            float(means.mean()),
            float(others.mean()),
        )

    @property
    def tried(self) -> int:
        """Pictures that could have been recovered."""
        return len(self.pairs.recovered)

    @property
    def recovered(self) -> int:
        """Pictures that were."""
        return int(self.pairs.recovered.sum())

    @property
    def significant(self) -> bool:
        """Whether more were than by chance, at 95% (binomial test, one-sided)."""
        from scipy.stats import binomtest  # slow to import

        share = min(1.0, max(self.chance / self.tried, 1.0 / (OTHERS + 1)))
        found = binomtest(self.recovered, self.tried, share, alternative="greater")
        return bool(found.pvalue < 0.05)


def correlations(some: Floats, others: Floats) -> Floats:
    """Give the normalised correlation of each of some pictures with each of others.

    Examples
    --------
    >>> ramp = np.arange(4.0).reshape(1, 2, 2, 1)
    >>> correlations(ramp, np.concatenate([3 * ramp + 1, -ramp])).round(3).tolist()
    [[1.0, -1.0]]
    """
    found: Floats = _unit(some) @ _unit(others).T
    return found


def _unit(pictures: Floats) -> Floats:
    flat = pictures.reshape(len(pictures), -1)
    centred = flat - flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    scaled: Floats = centred / np.where(length > 0.0, length, 1.0)
    return scaled


def paired(out: Floats, truth: Labelled, bar: Labelled) -> Pairs:
    """Pair what came out with pictures, and say which of them are recovered.

    Parameters
    ----------
    out : float64 array of shape (pictures, height, width, channels)
        What came out.
    truth : Labelled
        The pictures.
    bar : Labelled
        Others of the same classes; a picture of a class that has none counts as not recovered.
    """
    from scipy.optimize import linear_sum_assignment  # slow to import

    likeness = correlations(out, truth.brightness)
    rows, places = linear_sum_assignment(-likeness)
    found = likeness[rows, places]
    recovered = np.zeros(len(rows), dtype=np.bool_)
    for label in np.unique(truth.labels[places]):
        others = bar.brightness[bar.labels == label]
        if not len(others):
            continue
        mine = truth.labels[places] == label
        others = np.concatenate([others, others.mean(axis=0, keepdims=True)])
        nearer = found[mine] > correlations(out[rows[mine]], others).max(axis=1)
        better = found[mine] > correlations(truth.brightness[places[mine]], others).max(axis=1)
        recovered[mine] = nearer & better
    return Pairs(places, rows, found, recovered)


def _bars(truth: Labelled, bar: Labelled) -> tuple[Floats, Floats]:
    """Give how like pictures are to their class's mean, and to the one most like them."""
    means, most = np.zeros(len(truth)), np.zeros(len(truth))
    for label in np.unique(truth.labels):
        others, mine = bar.brightness[bar.labels == label], truth.labels == label
        if len(others):
            mean = others.mean(axis=0, keepdims=True)
            means[mine] = correlations(truth.brightness[mine], mean)[:, 0]
            most[mine] = correlations(truth.brightness[mine], others).max(axis=1)
    return means, most


def _split(
    labels: Labels, untrained: Labelled, rng: np.random.Generator
) -> tuple[Labelled, Labelled]:
    """Share pictures out by class: those that one is told from, and those that stand for truth."""
    bar, spare = [], []
    for label, count in zip(*np.unique(labels, return_counts=True), strict=True):
        places = rng.permutation(np.flatnonzero(untrained.labels == label))
        cut = min(max(OTHERS, int(count)), len(places) // 2)
        bar.append(places[:cut])
        spare.append(places[cut : cut + 2 * max(OTHERS, int(count))])
    return untrained.at(np.concatenate(bar)), untrained.at(np.concatenate(spare))


def _alike(labels: Labels, spare: Labelled, rng: np.random.Generator) -> Labelled:
    """Draw as many pictures of each class as there are true ones, if there are."""
    drawn = []
    for label, count in zip(*np.unique(labels, return_counts=True), strict=True):
        places = np.flatnonzero(spare.labels == label)
        drawn.append(rng.choice(places, min(int(count), len(places)), replace=False))
    return spare.at(np.concatenate(drawn))
