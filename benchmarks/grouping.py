"""Clusters of alike bakeries, drawn by what they may share: losses, or the shape of their week.

In come bakeries with their rows; out comes a cluster's number for each of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from glean.features.bakery_rows import BakeryRows
from glean.features.definition import FeatureDefinition
from glean.features.matrix import FeatureMatrix, stack
from glean.forecasting.forecast_model import ForecastModel
from glean.forecasting.forecasters import TreeForecaster
from glean.learning.boosting import train_pooled
from glean.learning.learning_rates import pooled_learning_rate_of
from glean.metrics import Floats, wape
from glean.settings import RunSettings

Groups = NDArray[np.int64]

ALTERNATIONS = 8
"""Times that models are trained and bakeries move, unless nobody moves any more."""


def by_loss(
    bakeries: Sequence[BakeryRows],
    definition: FeatureDefinition,
    *,
    clusters: int,
    settings: RunSettings,
) -> Groups:
    """Let every bakery join the model with the least loss on its own data, again and again.

    IFCA (Ghosh and others 2020), from clusters drawn at random. The loss is the WAPE on the
    validation window: on rows that a model was fitted to it would be least where a bakery is
    already. The models are pooled XGBoost's, of the federation's depth and number of trees.

    Parameters
    ----------
    bakeries : sequence of BakeryRows
        n bakeries.
    definition : FeatureDefinition
        Their features.
    clusters : int
        How many; one that everybody leaves stays empty.
    settings : RunSettings
        The run's; its seed draws the first clusters.

    Returns
    -------
    int array of shape (n,)
    """
    rng = np.random.default_rng(settings.seed)
    groups = rng.permutation(np.arange(len(bakeries)) % clusters)
    for _ in range(ALTERNATIONS):
        models = [
            _pooled(
                [b for b, group in zip(bakeries, groups, strict=True) if group == k],
                definition,
                settings,
            )
            for k in range(clusters)
        ]
        losses = [
            [_loss(model, bakery.validation(definition)) for model in models] for bakery in bakeries
        ]
        moved = np.argmin(losses, axis=1)
        if np.array_equal(moved, groups):
            break
        groups = moved
    return groups


def _pooled(
    bakeries: Sequence[BakeryRows], definition: FeatureDefinition, settings: RunSettings
) -> ForecastModel | None:
    """Train one model on the rows of a cluster; None where nobody can train."""
    rows = [bakery.training(definition) for bakery in bakeries if bakery.trains]
    if not rows:
        return None
    pooled = train_pooled(
        stack(rows),
        boosting=settings.boosting,
        learning_rate=pooled_learning_rate_of(settings.rounds),
        steps=settings.rounds.num_server_rounds * settings.boosting.trees_per_round,
        seed=settings.seed,
    )
    return TreeForecaster(pooled)


def _loss(model: ForecastModel | None, rows: FeatureMatrix) -> float:
    return np.inf if model is None else wape(rows.units, model.predict(rows))


def by_weekday(
    bakeries: Sequence[BakeryRows],
    definition: FeatureDefinition,
    *,
    clusters: int,
    settings: RunSettings,
) -> Groups:
    """Draw together bakeries with a like week, by k-means.

    A week's shape is the share of each weekday in what is sold; of these k-means needs no more than
    the sums over a cluster.

    Parameters
    ----------
    bakeries, definition, clusters, settings
        As for `by_loss`.

    Returns
    -------
    int array of shape (n,)
    """
    shapes = np.array([_weekday_shares(bakery.training(definition)) for bakery in bakeries])
    found = KMeans(n_clusters=clusters, n_init=10, random_state=settings.seed).fit(shapes)
    return np.asarray(found.labels_, dtype=np.int64)


def _weekday_shares(rows: FeatureMatrix) -> Floats:
    """Units by weekday over all units, shape (7,); a seventh each where there are none."""
    weekdays = rows.keys["date"].dt.day_of_week.to_numpy()
    units = np.bincount(weekdays, weights=rows.units, minlength=7)
    return units / units.sum() if units.sum() > 0 else np.full(7, 1 / 7)
