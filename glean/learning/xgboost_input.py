"""What XGBoost is given: a bakery's rows on the public bins, and how trees are to be grown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from glean.errors import SettingsError
from glean.features.bins import in_bins
from glean.features.definition import FeatureDefinition
from glean.learning.model_file import FORBIDDEN_IN_NAMES
from glean.learning.xgboost_library import load_xgboost
from glean.settings import BoostingSettings

if TYPE_CHECKING:
    import xgboost

DEVICES = {"cpu": "cpu", "gpu": "cuda"}
"""Glean's names of devices and XGBoost's; AMD's build of it calls its GPUs "cuda" too."""

_MOST_BINS = 512


class LearnedRows(Protocol):
    """What XGBoost needs of rows; a `FeatureMatrix` has it."""

    @property
    def x(self) -> NDArray[np.float32]:
        """Columns, shape (rows, columns); NaN where not known."""

    @property
    def y(self) -> NDArray[np.float32]:
        """Units by level, shape (rows,); NaN where nothing is to be learned."""

    @property
    def weight(self) -> NDArray[np.float64]:
        """Weight of each row, shape (rows,)."""

    @property
    def definition(self) -> FeatureDefinition:
        """What the columns are."""

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""


def check_names(names: Iterable[str]) -> None:
    """Refuse names of columns that XGBoost refuses.

    Raises
    ------
    SettingsError
        A covariate's name is one.
    """
    for name in names:
        if set(name) & set(FORBIDDEN_IN_NAMES):
            raise SettingsError(
                f"covariates: found {name!r}; wanted a name without [, ] or <: rename the column"
            )


def training_matrix(features: LearnedRows, *, bins: int) -> xgboost.DMatrix:
    """Hand the rows to XGBoost, on the public bins, so that trees split at public edges only.

    Weights have mean 1, so that penalties count rows, not units.
    """
    library = load_xgboost()
    sold = np.isfinite(features.y)
    weight = np.where(sold, features.weight, 0.0)
    mean = weight[sold].mean() if sold.any() else 1.0
    matrix: xgboost.DMatrix = library.DMatrix(
        in_bins(features.x, features.definition, bins=bins),
        label=np.where(sold, features.y, 0.0),
        weight=weight / mean,
        # The model gets its names at the end: XGBoost would read them back at every step.
        nthread=1,
    )
    return matrix


def parameters(
    boosting: BoostingSettings, *, learning_rate: float, seed: int, device: str
) -> dict[str, Any]:
    """Put settings into XGBoost's words; `device` is "cpu" or "gpu"."""
    quantile = {"quantile_alpha": boosting.quantile_alpha}
    return (quantile if boosting.objective == "reg:quantileerror" else {}) | {
        "objective": boosting.objective,
        "base_score": 1.0,
        "tree_method": "hist",
        # The rows are binned already: no bin of theirs is to be merged with another.
        "max_bin": _MOST_BINS,
        "learning_rate": learning_rate,
        "max_depth": boosting.max_depth,
        "min_child_weight": boosting.min_child_weight,
        "reg_lambda": boosting.reg_lambda,
        "reg_alpha": boosting.reg_alpha,
        "gamma": boosting.gamma,
        "subsample": boosting.subsample,
        "colsample_bytree": boosting.colsample,
        "num_parallel_tree": boosting.num_parallel_tree,
        "seed": seed,
        # Otherwise boosters alive side by side influence each other's draws.
        "seed_per_iteration": True,
        "device": DEVICES[device],
        "nthread": 1,
    }
