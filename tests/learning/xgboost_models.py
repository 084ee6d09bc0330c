"""Models that XGBoost itself trained, and their model files."""

from __future__ import annotations

from functools import cache

import xgboost

from glean.learning import ubj
from glean.learning.forest import FEATURES_KEY
from tests.matrices import DEFINITION, random_matrix

NAMES = list(DEFINITION.names)


def loaded(data: bytes) -> xgboost.Booster:
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(data))
    return booster


@cache
def trained_model(*, steps: int = 12, **parameters: object) -> bytes:
    matrix = random_matrix(300)
    rows = xgboost.DMatrix(matrix.x, label=matrix.y, feature_names=NAMES, nthread=1)
    fixed = {"base_score": 1.0, "nthread": 1, "tree_method": "hist", "max_depth": 4}
    booster = xgboost.train(fixed | parameters, rows, steps)
    booster.set_attr(**{FEATURES_KEY: DEFINITION.to_json()})
    return bytes(booster.save_raw("ubj"))


def changed(path: list[str | int], value: object) -> bytes:
    """A trained model's file with one entry set to `value`."""
    content = ubj.read(trained_model(steps=2))
    place = content
    for step in path[:-1]:
        place = place[step]  # type: ignore[index]
    place[path[-1]] = value  # type: ignore[index]
    return ubj.write(content)
