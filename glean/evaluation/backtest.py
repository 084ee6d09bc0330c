"""The final test of one bakery: every method forecasts the same rows of the test window."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from glean.errors import ModelError
from glean.evaluation.habits import habits
from glean.evaluation.scores import BakeryScore, naive_scale, score_methods
from glean.features.matrix import FeatureMatrix
from glean.forecasting.forecast import Model, forecast_units
from glean.learning.alone import train_alone
from glean.learning.boosting import predict
from glean.settings import BoostingSettings


def judge(
    model: Model,
    *,
    bakery: str,
    cohort: str,
    training: FeatureMatrix,
    validation: FeatureMatrix,
    test: FeatureMatrix,
    boosting: BoostingSettings | None,
    seed: int,
) -> list[BakeryScore]:
    """Score the federation's model and, with `boosting`, the rivals that need only this bakery.

    Parameters
    ----------
    model : Forest or Weights
        The federation's final model.
    bakery, cohort : str
        As they shall stand in the rows.
    training, validation, test : FeatureMatrix
        The bakery's rows by window.
    boosting : BoostingSettings or None
        How the local rival grows its trees; None leaves the rivals out.
    seed : int
        Seed of the local rival.

    Returns
    -------
    list of BakeryScore
        "federated", then "local", "weekday-mean" and "last-week".
    """
    forecasts = {"federated": forecast_units(model, test)}
    if boosting is not None:
        alone = train_alone(training, validation, boosting=boosting, seed=seed)
        forecasts["local"] = predict(alone.forest, test.x) * test.level
        forecasts |= habits(test)
    scale = naive_scale(training, test)
    return score_methods(test, forecasts, bakery=bakery, cohort=cohort, scale=scale)


def rows_to_json(scores: Sequence[BakeryScore]) -> str:
    """Write rows of `bakeries.csv` for a message; NaN becomes null."""
    rows = [
        {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in s.to_row().items()}
        for s in scores
    ]
    return json.dumps(rows)


def rows_from_json(text: str) -> list[BakeryScore]:
    """Read rows that a bakery sent.

    Raises
    ------
    ModelError
        They aren't rows of `bakeries.csv`.
    """
    try:
        rows = json.loads(text)
        return [
            BakeryScore.from_row({k: math.nan if v is None else v for k, v in row.items()})
            for row in rows
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"the final scores can't be read: {error!r}") from error
