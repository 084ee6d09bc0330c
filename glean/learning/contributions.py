"""Which feature moves a forecast by how much: SHAP values, as XGBoost gives them.

XGBoost weighs the two sides of a split by how many training rows went there. Glean's model files
don't say that, since it would disclose a bakery's rows; so the bakery counts its own rows in every
node, at home, before it asks. Each value then says how the row differs from the bakery's own mean.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glean.learning.booster import load_booster
from glean.learning.forest import Forest
from glean.learning.xgboost_library import load_xgboost

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

_UNSEEN_ROWS = 0.5
"""Rows that are taken for granted at the root, half of them on either side of every split: no node
is without any, where XGBoost would divide by zero."""


def contributions(forest: Forest, x: Singles, *, background: Singles) -> Floats:
    """SHAP values of a model (Lundberg and Lee 2017).

    Parameters
    ----------
    forest : Forest
        A model.
    x : float32 array of shape (rows, columns)
        Columns by `forest.feature_names`, NaN where not known.
    background : float32 array of shape (any, columns)
        The bakery's usual rows.

    Returns
    -------
    float64 array of shape (rows, columns)
        How far each feature moves the margin of the row from the background's mean: on the scale
        of the level, or of its logarithm where the objective has one.
    """
    if forest.tree_count == 0 or len(x) == 0:
        return np.zeros(x.shape)
    xgboost = load_xgboost()
    names = list(forest.feature_names)
    usual = xgboost.DMatrix(background, feature_names=names, nthread=1)
    leaves = np.empty((0, forest.tree_count))
    if len(background):
        leaves = load_booster(forest, "cpu").predict(usual, pred_leaf=True, strict_shape=True)
        leaves = leaves.reshape(len(background), -1)
    content = json.loads(bytes(load_booster(forest, "cpu").save_raw("json")))
    trees = content["learner"]["gradient_booster"]["model"]["trees"]
    for tree, reached in zip(trees, leaves.T.astype(np.int64), strict=True):
        tree["sum_hessian"] = _rows_by_node(tree, reached)
    counted = xgboost.Booster({"nthread": 1})
    counted.load_model(bytearray(json.dumps(content).encode()))
    rows = xgboost.DMatrix(x, feature_names=names, nthread=1)
    found: Floats = counted.predict(rows, pred_contribs=True).astype(np.float64)
    return found[:, :-1]


def _rows_by_node(tree: dict[str, Any], leaves: NDArray[np.int64]) -> list[float]:
    """Count rows in every node from the leaves that they reach; children stand behind parents."""
    left, right = tree["left_children"], tree["right_children"]
    counts = np.bincount(leaves, minlength=len(left)).astype(np.float64).tolist()
    granted = [_UNSEEN_ROWS] + [0.0] * (len(left) - 1)
    for node in range(len(left)):
        if left[node] >= 0:
            granted[left[node]] = granted[right[node]] = granted[node] / 2
    for node in reversed(range(len(left))):
        if left[node] >= 0:
            counts[node] = counts[left[node]] + counts[right[node]]
    return [count + grant for count, grant in zip(counts, granted, strict=True)]
