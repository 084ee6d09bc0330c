"""Which feature moves a forecast by how much: SHAP values, as XGBoost gives them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glean.learning.boosting import loaded_booster
from glean.learning.forest import Forest
from glean.learning.xgboost_library import load_xgboost

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]


def contributions(forest: Forest, x: Singles) -> Floats:
    """SHAP values of a model (Lundberg and Lee 2017).

    Parameters
    ----------
    forest : Forest
        A model.
    x : float32 array of shape (rows, columns)
        Columns by `forest.feature_names`, NaN where not known.

    Returns
    -------
    float64 array of shape (rows, columns)
        How far each feature moves the margin of the row from the model's mean: on the scale of the
        level, or of its logarithm where the objective has one.
    """
    if forest.tree_count == 0 or len(x) == 0:
        return np.zeros(x.shape)
    rows = load_xgboost().DMatrix(x, feature_names=list(forest.feature_names), nthread=1)
    found: Floats = loaded_booster(forest).predict(rows, pred_contribs=True).astype(np.float64)
    return found[:, :-1]
