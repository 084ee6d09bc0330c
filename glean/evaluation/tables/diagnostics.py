"""What only a simulation can know: pooled training, the truth of synthetic bakeries, single days.

In a deployment no one place holds these rows, and none of this is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glean.evaluation.tables.scores import BakeryScore, naive_scale, score_methods
from glean.features.bakery_rows import BakeryRows
from glean.features.definition import FeatureDefinition
from glean.features.matrix import FeatureMatrix, stack
from glean.forecasting.baselines import baselines
from glean.forecasting.forecast_model import ForecastModel
from glean.forecasting.forecasters import TreeForecaster
from glean.learning.boosting import train_pooled
from glean.learning.forest import Forest
from glean.metrics import ErrorSums
from glean.settings import RunSettings

Floats = NDArray[np.float64]

MOST_POOLED_TREES = 10
"""Beside bagging the pooled rival averages as many trees a step as bakeries train, as that does,
but no more than this: further ones change its forecast little and take long on all rows. Beside
`histogram` it grows as many trees a step as that does."""

SHOWN_BAKERIES = 40
"""Bakeries whose single days are kept for the report's pictures."""


@dataclass(frozen=True)
class Diagnostics:
    """What a simulation knows beyond what bakeries send.

    Parameters
    ----------
    pooled : list of BakeryScore
        Rows of `bakeries.csv` with method "pooled"; empty without baselines.
    truth : DataFrame or None
        `bakery,units,abs_error,wape` of the true expected demand; None for real tables.
    forecasts : DataFrame
        A row a day and product: `date,bakery,product,units` and a column a method.
    """

    pooled: list[BakeryScore]
    truth: pd.DataFrame | None
    forecasts: pd.DataFrame


def diagnose(
    bakeries: Sequence[BakeryRows], model: ForecastModel, pooled: Forest | None
) -> Diagnostics:
    """Score the pooled rival, compare with the truth, and keep single days.

    Parameters
    ----------
    bakeries : sequence of BakeryRows
        All bakeries of the simulation.
    model : ForecastModel
        The federation's final model.
    pooled : Forest or None
        The pooled rival, where there is one.
    """
    definition = model.definition
    scores: list[BakeryScore] = []
    days: list[pd.DataFrame] = []
    truths: list[dict[str, str | float]] = []
    for bakery in bakeries:
        test = bakery.test(definition)
        shown = test.keys.assign(units=test.units, federated=model.predict(test))
        if pooled is not None:
            shown["pooled"] = TreeForecaster(pooled).predict(test)
            shown = shown.assign(**baselines(test))
            scores += _pooled_scores(bakery, definition, test, shown["pooled"].to_numpy())
        expected = _expected(bakery, test)
        if expected is not None:
            shown["best_possible"] = expected
            sums = ErrorSums.of(test.units, expected)
            truths.append(_truth_row(bakery.name, sums))
        days.append(shown)
    return Diagnostics(
        pooled=scores,
        truth=pd.DataFrame(truths) if truths else None,
        forecasts=pd.concat(days[:SHOWN_BAKERIES], ignore_index=True),
    )


def train_pooled_baseline(
    bakeries: Sequence[BakeryRows],
    definition: FeatureDefinition,
    settings: RunSettings,
    *,
    learning_rate: float,
    steps: int,
) -> Forest:
    """Train the pooled rival: XGBoost itself, on the rows of all bakeries in one place.

    Parameters
    ----------
    bakeries : sequence of BakeryRows
        All bakeries of the simulation.
    definition : FeatureDefinition
        The run's.
    settings : RunSettings
        The run's.
    learning_rate : float
        Step size of the pooled rival.
    steps : int
        Its boosting steps: as many as the final model had rounds.
    """
    training = [p.training(definition) for p in bakeries if p.trains]
    boosting = settings.boosting
    width = boosting.num_parallel_tree
    if settings.rounds.kind.one_boosting_step:
        # The trees of a round are one group, grown on the same margins.
        width *= boosting.trees_per_round
    else:
        width *= min(len(training), MOST_POOLED_TREES)
        steps *= boosting.trees_per_round
    return train_pooled(
        stack(training),
        boosting=replace(boosting, num_parallel_tree=width),
        learning_rate=learning_rate,
        steps=steps,
        seed=settings.seed,
        device=settings.tree_device,
    )


def _pooled_scores(
    bakery: BakeryRows, definition: FeatureDefinition, test: FeatureMatrix, forecast: Floats
) -> list[BakeryScore]:
    return score_methods(
        test,
        {"pooled": forecast},
        bakery=bakery.name,
        cohort=bakery.windows.cohort,
        scale=naive_scale(bakery.training(definition), test),
    )


def _expected(bakery: BakeryRows, test: FeatureMatrix) -> Floats | None:
    """Give the true expected demand of the test rows, in their order."""
    if bakery.sales.expected is None:
        return None
    rows = bakery.sales.table.rows
    truth = pd.Series(
        bakery.sales.expected, index=pd.MultiIndex.from_frame(rows[["product", "date"]])
    )
    asked = pd.MultiIndex.from_frame(test.keys[["product", "date"]])
    return np.asarray(truth.reindex(asked), dtype=np.float64)


def _truth_row(bakery: str, sums: ErrorSums) -> dict[str, str | float]:
    return {
        "bakery": bakery,
        "units": sums.units,
        "abs_error": sums.abs_error,
        "wape": sums.wape,
    }
