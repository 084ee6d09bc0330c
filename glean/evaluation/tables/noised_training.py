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
from glean.features.definition import FeatureDefinition
from glean.features.matrix import FeatureMatrix
from glean.federation.wire.noised_parts import part_deviation
from glean.federation.wire.sum_request import DAY_GRADIENTS, DAY_HESSIANS
from glean.learning.bin_layout import BinLayout
from glean.learning.day_sums import UNIT, DaySums
from glean.learning.forest import Forest
from glean.learning.gradient_histograms import GradientHistograms
from glean.learning.learning_rates import learning_rate_of
from glean.learning.oblivious_trees import (
    LEAVES_PER_ROUND,
    random_trees,
    with_base,
    with_leaves,
)
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
    """

    def __init__(
        self,
        training: Sequence[FeatureMatrix],
        definition: FeatureDefinition,
        settings: RunSettings,
    ) -> None:
        self._layout = BinLayout(definition, settings.boosting.bins)
        self._base = with_base(
            Forest.empty(definition, objective=settings.boosting.objective), self._layout
        )
        self._sums = [DaySums(matrix, self._layout) for matrix in training]
        self._followed = [
            GradientHistograms(matrix, self._layout, settings.boosting) for matrix in training
        ]
        self._start = [each.add(each.start(), self._base.trees) for each in self._followed]
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
        hessians = decoded(exact + self._noise(DAY_HESSIANS, exact.size, settings))
        forest, margins = self._base, self._start
        for trees, weight in zip(drawn, hessians.reshape(len(drawn), -1), strict=True):
            pairs = zip(self._sums, margins, strict=True)
            gradients = np.sum([each.gradients(margin, trees) for each, margin in pairs], axis=0)
            gradients += self._noise(DAY_GRADIENTS, LEAVES_PER_ROUND, settings)
            values = leaf_values(
                decoded(gradients),
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
        """Sum the weights in all leaves; the last seed's are kept, since noise has no part in them.

        A training has one number of rounds.
        """
        if self._hessians is None or self._hessians[0] != seed:
            trees = [tree for round_trees in drawn for tree in round_trees]
            found = np.sum([each.hessians(trees) for each in self._sums], axis=0)
            self._hessians = seed, found
        return self._hessians[1]

    def _deviation(self, part: str, settings: RunSettings) -> float:
        """Give the standard deviation of all bakeries' noise together, in units of the ring."""
        parties = len(self._sums)
        return part_deviation(part, settings, parties=parties) * math.sqrt(parties)

    def _noise(self, part: str, length: int, settings: RunSettings) -> Encoded:
        """Draw the noise of all bakeries as one: their parts add up to one discrete Gaussian.

        By how little that is off, `divergence_of_sum` bounds.
        """
        deviation = math.ceil(self._deviation(part, settings))
        return sample(deviation, length) if deviation else np.zeros(length, dtype=np.int64)
