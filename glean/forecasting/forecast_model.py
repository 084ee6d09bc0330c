"""The seam between a forecast and what was learned: all that forecasting asks of a model.

Trees and weights are two kinds of it, in `forecasters`; whoever holds a `ForecastModel` doesn't
know which it has.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glean.errors import ModelError
from glean.features.definition import FeatureDefinition
from glean.features.matrix import FeatureMatrix
from glean.metrics import Floats
from glean.settings import BoostingSettings

Singles = NDArray[np.float32]


@dataclass(frozen=True)
class LocalTraining:
    """How a bakery trains on its own rows; each kind of model takes what it goes by.

    Parameters
    ----------
    boosting : BoostingSettings
        How trees are grown; their objective is the model's.
    learning_rate : float
        Of weights; trees have their own.
    seed : int
        Seed of whatever is drawn.
    """

    boosting: BoostingSettings
    learning_rate: float
    seed: int


class ForecastModel(ABC):
    """A learned model, the federation's or a bakery's own."""

    @property
    @abstractmethod
    def definition(self) -> FeatureDefinition:
        """The feature definition inside the model.

        Raises
        ------
        ModelError
            There is none that this version of Glean can make.
        """

    @abstractmethod
    def relative(self, x: Singles) -> Floats:
        """Forecast units / level, shape (n,), for `x` of shape (n, columns of the definition)."""

    @abstractmethod
    def to_bytes(self) -> bytes:
        """Write the model file; equal models give equal bytes."""

    @abstractmethod
    def columns_used(self) -> frozenset[str] | None:
        """Name the feature columns that move the forecast; None where the model doesn't tell."""

    @abstractmethod
    def contributions(self, x: Singles, background: Singles) -> Floats | None:
        """Tell how far each column moves each row, shape of `x`; None where nothing can tell.

        Parameters
        ----------
        x : float32 array of shape (n, columns)
            Rows.
        background : float32 array of shape (any, columns)
            The bakery's usual rows, which they are compared with.
        """

    @abstractmethod
    def train_local(
        self, training: FeatureMatrix, validation: FeatureMatrix, how: LocalTraining
    ) -> ForecastModel:
        """Train a model of the same kind on a bakery's rows alone."""

    @abstractmethod
    def refinement(
        self, training: FeatureMatrix, validation: FeatureMatrix, how: LocalTraining
    ) -> Callable[[float], ForecastModel] | None:
        """Learn what this model gets wrong on a bakery's rows.

        Returns
        -------
        callable or None
            Share of what was learned, 0 to 1 -> this model with so much of it. None where nothing
            was learned, or this kind of model can't be refined.
        """

    def predict(self, features: FeatureMatrix) -> Floats:
        """Forecast every row, units (or money, as the table has it); never below zero.

        Parameters
        ----------
        features : FeatureMatrix
            n rows with the model's features.

        Returns
        -------
        float64 array of shape (n,)
            Units.

        Raises
        ------
        ModelError
            The rows have other features than the model learned from.
        """
        found, wanted = features.definition.identity, self.definition.identity
        if found != wanted:
            raise ModelError(f"the rows have features {found[:12]}; the model {wanted[:12]}")
        return features.units_of(self.relative(features.x))
