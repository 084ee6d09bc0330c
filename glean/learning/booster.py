"""A model as XGBoost's `Booster`: loaded, and asked for forecasts.

A `Forest` comes in, forecasts relative to the level go out: margins through the inverse link.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from glean.learning.forest import Forest
from glean.learning.xgboost_input import DEVICES
from glean.learning.xgboost_library import load_xgboost

if TYPE_CHECKING:
    import xgboost

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

_LOG_LINK = ("count:poisson", "reg:tweedie")
_LARGEST_LOG = 20.0
"""A margin beyond it would forecast a hundred million usual days."""


def predict(forest: Forest, x: Singles) -> Floats:
    """Forecast relative to the level.

    Parameters
    ----------
    forest : Forest
        A model.
    x : float32 array of shape (rows, columns)
        Columns by `forest.feature_names`, NaN where not known.

    Returns
    -------
    float64 array of shape (rows,)
        Units / level.
    """
    if forest.tree_count == 0 or len(x) == 0:
        margin = np.full(len(x), start_margin(forest.objective), dtype=np.float32)
    else:
        margin = load_booster(forest, "cpu").inplace_predict(
            x, predict_type="margin", validate_features=False
        )
    return inverse_link(margin, objective=forest.objective)


def start_margin(objective: str) -> float:
    """Margin at which the forecast is 1.0, the level."""
    return 0.0 if objective in _LOG_LINK else 1.0


def inverse_link(margin: Singles, *, objective: str) -> Floats:
    """Turn margins, shape (rows,), into forecasts relative to the level, float64."""
    wide = margin.astype(np.float64)
    return np.exp(np.minimum(wide, _LARGEST_LOG)) if objective in _LOG_LINK else wide


@lru_cache(maxsize=4)
def load_booster(forest: Forest, device: str) -> xgboost.Booster:
    """Load a model; its bytes are always ones that Glean wrote, since XGBoost trusts them.

    The last ones are kept: training and validation rows, and in one process all bakeries, follow
    the same trees one after the other, and a bakery asks its three models for several windows.
    """
    library = load_xgboost()
    booster: xgboost.Booster = library.Booster({"nthread": 1, "device": DEVICES[device]})
    booster.load_model(bytearray(forest.to_bytes()))
    return booster
