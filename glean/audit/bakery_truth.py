"""What an attack is to find out, for the referee: a bakery's training rows, and where they fall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from glean.features.bakery_rows import bakery_rows_of
from glean.features.definition import FeatureDefinition
from glean.features.matrix import FeatureMatrix
from glean.learning.bin_layout import BinLayout
from glean.learning.binned_trees import leaves_reached
from glean.learning.tree import Tree
from glean.node_settings import NodeSettings
from glean.settings import RunSettings

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class BakeryTruth:
    """A bakery's rows that were trained on; a row is a product on a day.

    Parameters
    ----------
    name : str
        The bakery.
    training : FeatureMatrix
        Its rows that weigh something.
    validation : FeatureMatrix
        Its rows that models are scored on.
    layout : BinLayout
        The public bins.
    """

    name: str
    training: FeatureMatrix
    validation: FeatureMatrix
    layout: BinLayout

    def __len__(self) -> int:
        return len(self.training)

    @cached_property
    def bins(self) -> NDArray[np.uint8]:
        """Bin of every value, shape (rows, columns)."""
        return self.layout.binned(self.training.x)

    @property
    def level(self) -> Floats:
        """Mean units of the row's product, shape (rows,)."""
        return self.training.level

    @property
    def units(self) -> Floats:
        """Units of the row, shape (rows,)."""
        return self.training.units

    def leaves(self, trees: Sequence[Tree]) -> Whole:
        """Give the leaf of each row in each tree, shape (trees, rows), counted over all trees."""
        return leaves_reached(self.bins, trees, self.layout)[0]


def open_bakery(
    partition: int, settings: RunSettings, spec: str, *, newcomer: bool, name: str
) -> BakeryTruth:
    """Open the table of a simulation's bakery.

    Raises
    ------
    SalesError
        It can't be read.
    """
    rows = bakery_rows_of(NodeSettings(partition=partition), settings, newcomer=newcomer)
    assert rows is not None, "a bakery that answered has a table"
    definition = FeatureDefinition.from_json(spec)
    training = rows.training(definition)
    weighs = np.isfinite(training.y) & (training.weight > 0.0)
    layout = BinLayout(definition, settings.boosting.bins)
    return BakeryTruth(name, training.rows(weighs), rows.validation(definition), layout)
