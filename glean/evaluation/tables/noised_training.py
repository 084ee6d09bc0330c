"""Random trees as a federation trains them, with or without noise, but with no message and no mask.

Masks change no number and messages carry them as they are, so the same model comes out as of a run
with `aggregation=oblivious`, to the byte where there is no noise. What doesn't depend on the noise
is summed once: the bins, and for each seed the weights in all leaves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from glean.aggregation.oblivious import decoded, leaf_values
from glean.aggregation.robust_aggregation import median_noise, median_sum
from glean.features.definition import FeatureDefinition
from glean.features.matrix import FeatureMatrix
from glean.federation.wire.noised_parts import part_deviation
from glean.federation.wire.sum_request import DAY_GRADIENTS, DAY_HESSIANS
from glean.learning.bin_layout import BinLayout
from glean.learning.day_sums import UNIT, DaySums
from glean.learning.forest import Forest
from glean.learning.gradient_histograms import GradientHistograms
from glean.learning.learning_rates import learning_rate_of
from glean.learning.oblivious_trees import random_trees, with_leaves
from glean.learning.tree import Tree
from glean.privacy.discrete_gaussian import sample
from glean.settings import RunSettings

Encoded = NDArray[np.int64]


class NoisedTraining:
    """The bakeries of a federation that learn, ready to train by random trees again and again.

    Parameters
    ----------
    training : sequence of FeatureMatrix
        Each bakery's training rows.
    definition : FeatureDefinition
        What they agreed on.
    settings : RunSettings
        The run's; of its noise and its seed those given to `train` count.
    groups : sequence of sequence of int, optional
        Places of the bakeries of each group, where sums are made in groups.
    """

    def __init__(
        self,
        training: Sequence[FeatureMatrix],
        definition: FeatureDefinition,
        settings: RunSettings,
        groups: Sequence[Sequence[int]] = (),
    ) -> None:
        self._groups = [list(places) for places in groups]
        self._layout = BinLayout(definition, settings.boosting.bins)
        self._empty = Forest.empty(definition, objective=settings.boosting.objective)
        self._sums = [DaySums(matrix, self._layout) for matrix in training]
        self._followed = [
            GradientHistograms(matrix, self._layout, settings.boosting) for matrix in training
        ]
        self._start = [each.start() for each in self._followed]
        self._hessians: tuple[int, Encoded] | None = None

    def train(self, settings: RunSettings) -> Forest:
        """Train with all bakeries there all the time.

        Parameters
        ----------
        settings : RunSettings
            Those of the training, with another seed or other noise.

        Returns
        -------
        Forest
            The model after the last round.
        """
        rounds = settings.rounds
        drawn = [
            random_trees(self._layout, seed=settings.seed, number=number)
            for number in range(1, rounds.num_server_rounds + 1)
        ]
        exact = self._exact_hessians(drawn, settings.seed)
        hessians = decoded(self._summed(DAY_HESSIANS, exact, settings))
        forest, margins = self._empty, self._start
        for trees, weight in zip(drawn, hessians.reshape(len(drawn), -1), strict=True):
            pairs = zip(self._sums, margins, strict=True)
            gradients = np.stack([each.gradients(margin, trees) for each, margin in pairs])
            values = leaf_values(
                decoded(self._summed(DAY_GRADIENTS, gradients, settings)),
                weight,
                noise=self._deviation(DAY_GRADIENTS, settings) / UNIT,
                learning_rate=learning_rate_of(rounds),
            )
            grown = with_leaves(trees, values)
            forest = forest.plus(grown)
            margins = [
                each.add(margin, grown)
                for each, margin in zip(self._followed, margins, strict=True)
            ]
        return forest

    def _exact_hessians(self, drawn: Sequence[tuple[Tree, ...]], seed: int) -> Encoded:
        """Give each bakery's weights in all leaves, shape (bakeries, leaves).

        The last seed's are kept, since noise has no part in them.

        A training has one number of rounds.
        """
        if self._hessians is None or self._hessians[0] != seed:
            trees = [tree for round_trees in drawn for tree in round_trees]
            found = np.stack([each.hessians(trees) for each in self._sums])
            self._hessians = seed, found
        return self._hessians[1]

    def _summed(self, part: str, exact: Encoded, settings: RunSettings) -> Encoded:
        """Give the sum that a server has of bakeries' numbers, shape (bakeries, n)."""
        if not self._groups:
            parties, length = exact.shape
            total: Encoded = exact.sum(axis=0) + self._noise(part, length, settings, parties)
            return total
        sums = [
            exact[places].sum(axis=0) + self._noise(part, exact.shape[1], settings, len(places))
            for places in self._groups
        ]
        return median_sum(np.stack(sums), self._sizes, size=float(len(exact)))

    @property
    def _sizes(self) -> NDArray[np.float64]:
        return np.array([len(places) for places in self._groups], dtype=np.float64)

    def _deviation(self, part: str, settings: RunSettings) -> float:
        """Give the standard deviation of the noise in a sum, in units of the ring."""
        if not self._groups:
            return _of_all(part, settings, len(self._sums))
        each = [_of_all(part, settings, len(places)) for places in self._groups]
        return median_noise(np.array(each), self._sizes, size=float(len(self._sums)))

    def _noise(self, part: str, length: int, settings: RunSettings, parties: int) -> Encoded:
        """Draw the noise of bakeries as one: their parts add up to one discrete Gaussian.

        By how little that is off, `divergence_of_sum` bounds.
        """
        deviation = math.ceil(_of_all(part, settings, parties))
        return sample(deviation, length) if deviation else np.zeros(length, dtype=np.int64)


def _of_all(part: str, settings: RunSettings, parties: int) -> float:
    """Give the standard deviation of the noise of so many bakeries together."""
    return part_deviation(part, settings, parties=parties) * math.sqrt(parties)
