"""The only place where XGBoost grows trees.

A bakery's rows go in once; round by round the margin (the sum of base score and trees, before the
inverse link) is carried along, so that a round costs as much as its new trees. XGBoost is imported
on first use: it brings scikit-learn along and takes seconds, which a merging server never needs.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glean.errors import SettingsError
from glean.features.matrix import FeatureMatrix
from glean.learning.booster import inverse_link, load_booster, start_margin
from glean.learning.forest import Forest
from glean.learning.xgboost_input import (
    DEVICES,
    LearnedRows,
    check_names,
    parameters,
    training_matrix,
)
from glean.learning.xgboost_library import load_xgboost
from glean.settings import BoostingSettings

if TYPE_CHECKING:
    import xgboost

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]


MOST_STEPS = 300
PATIENCE = 10
"""Steps without a smaller error on the other rows after which no more are tried."""


@dataclass(frozen=True)
class Shape:
    """Depth and least child weight of trees, in XGBoost's words."""

    max_depth: int
    min_child_weight: float


class TreeLearner:
    """One bakery's rows (or those of all, pooled), ready to grow trees on.

    Parameters
    ----------
    features : LearnedRows
        Rows with NaN `y` are days still to come: they are forecast and teach nothing.
    boosting : BoostingSettings
        How trees are grown.
    device : str
        "cpu" or "gpu".

    Attributes
    ----------
    device_used : str
        Where trees were really grown, in XGBoost's words, like "cuda:0"; "" before the first.

    Raises
    ------
    SettingsError
        A covariate's name is one that XGBoost refuses.
    """

    def __init__(
        self, features: LearnedRows, *, boosting: BoostingSettings, device: str = "cpu"
    ) -> None:
        self._boosting = boosting
        self._device = device
        self._rows = len(features.y)
        self._features = features
        self._empty = Forest.empty(features.definition, objective=boosting.objective)
        self.device_used = ""
        check_names(features.definition.names)

    @cached_property
    def _matrix(self) -> xgboost.DMatrix:
        """The rows as XGBoost wants them to grow trees; a learner that only follows needs none."""
        return training_matrix(self._features, bins=self._boosting.bins)

    @property
    def nbytes(self) -> int:
        """Bytes in memory once it has grown trees; XGBoost's own about, as measured."""
        return self._features.nbytes + 4 * self._features.x.nbytes

    def start(self) -> Singles:
        """Margin of the model without trees, shape (rows,): the level everywhere."""
        return np.full(self._rows, start_margin(self._boosting.objective), dtype=np.float32)

    def add(self, margin: Singles, forest: Forest) -> Singles:
        """Margin once the trees of `forest` are added to a model with `margin`, shape (rows,).

        Adding trees in portions gives the same bits as predicting the whole model at once.
        """
        if forest.tree_count == 0 or self._rows == 0:
            return margin.copy()
        # Not `predict`: it remembers its forecast of a matrix, even once the margin has changed.
        added: Singles = load_booster(forest, self._device).inplace_predict(
            self._features.x, predict_type="margin", base_margin=margin, validate_features=False
        )
        return added

    def grow(
        self,
        margin: Singles,
        *,
        learning_rate: float,
        steps: int,
        seed: int,
        min_child_weight: float | None = None,
    ) -> Forest:
        """Grow trees on what a model with `margin` leaves unexplained.

        Parameters
        ----------
        margin : float32 array of shape (rows,)
            Where the model stands, from `start` and `add`.
        learning_rate : float
            Factor on every leaf.
        steps : int
            Boosting steps; each gives `num_parallel_tree` trees.
        seed : int
            Seed of row and column sampling, another one in every round.
        min_child_weight : float, optional
            Instead of the learner's own.

        Returns
        -------
        Forest
            The new trees only.

        Raises
        ------
        SettingsError
            A GPU was asked for, and XGBoost found none.
        """
        self._matrix.set_base_margin(margin)
        # Not `xgboost.train`: its callbacks and copies take longer than a bakery's tree.
        parameters = self._parameters(learning_rate=learning_rate, seed=seed)
        if min_child_weight is not None:
            parameters["min_child_weight"] = min_child_weight
        booster = load_xgboost().Booster(parameters, [self._matrix])
        for step in range(steps):
            booster.update(self._matrix, step)
        self._note_device(booster)
        return _forest(booster, self._empty)

    def grow_until(
        self,
        validation: TreeLearner,
        margins: tuple[Singles, Singles],
        *,
        shape: Shape,
        learning_rate: float,
        seed: int,
    ) -> Forest:
        """Grow trees for as long as they forecast other rows better.

        Parameters
        ----------
        validation : TreeLearner
            The other rows. What counts is their absolute error weighted by the level: up to a
            constant that is their WAPE in units.
        margins : pair of float32 arrays of shape (rows,) and (rows of validation,)
            Where the model stands on whose residual they grow.
        shape : Shape
            Of the trees, instead of the learner's own.
        learning_rate, seed
            As for `grow`.

        Returns
        -------
        Forest
            The new trees up to the step with the smallest error.
        """
        matrix, validation_matrix = self._matrix, validation._matrix
        matrix.set_base_margin(margins[0])
        validation_matrix.set_base_margin(margins[1])
        changed = asdict(shape) | {"eval_metric": "mae"}
        parameters = self._parameters(learning_rate=learning_rate, seed=seed) | changed
        # Not `xgboost.train`, as in `grow`.
        booster = load_xgboost().Booster(parameters, [matrix, validation_matrix])
        least, best = math.inf, 0
        for step in range(MOST_STEPS):
            booster.update(matrix, step)
            error = float(booster.eval(validation_matrix).rsplit(":", 1)[1])
            if error < least:
                least, best = error, step
            elif step - best >= PATIENCE:
                break
        self._note_device(booster)
        return _forest(booster[: best + 1], self._empty)

    def relative(self, margin: Singles) -> Floats:
        """Forecast on the scale of `y` (units / level) at a margin, shape (rows,)."""
        return inverse_link(margin, objective=self._boosting.objective)

    def _parameters(self, *, learning_rate: float, seed: int) -> dict[str, Any]:
        return parameters(
            self._boosting, learning_rate=learning_rate, seed=seed, device=self._device
        )

    def _note_device(self, booster: xgboost.Booster) -> None:
        """Refuse what XGBoost only warns of: trees asked for on a GPU and grown on the CPU."""
        if self.device_used:
            return
        self.device_used = _device_of(booster)
        if self._device == "gpu" and not self.device_used.startswith(DEVICES["gpu"]):
            raise SettingsError(
                f"device: found gpu; XGBoost finds none here and trained on {self.device_used}"
            )


def train_pooled(
    features: FeatureMatrix,
    *,
    boosting: BoostingSettings,
    learning_rate: float,
    steps: int,
    seed: int,
    device: str = "cpu",
) -> Forest:
    """Train XGBoost itself on all rows in one place: what a federation is measured against.

    Parameters
    ----------
    features : FeatureMatrix
        Training rows of all bakeries.
    boosting, learning_rate, steps, seed, device
        As for `TreeLearner` and its `grow`.
    """
    learner = TreeLearner(features, boosting=boosting, device=device)
    return learner.grow(learner.start(), learning_rate=learning_rate, steps=steps, seed=seed)


def _device_of(booster: xgboost.Booster) -> str:
    """Read where a booster really worked, like "cpu" or "cuda:0"."""
    used: str = json.loads(booster.save_config())["learner"]["generic_param"]["device"]
    return used


def _forest(booster: xgboost.Booster, empty: Forest) -> Forest:
    booster.feature_names = list(empty.feature_names)
    grown = Forest.from_bytes(bytes(booster.save_raw("ubj")), feature_names=empty.feature_names)
    return replace(grown, attributes=empty.attributes)
