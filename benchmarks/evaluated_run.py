"""One federation on a job, and how well each round's model forecasts the test windows.

The rounds run in this process and choose nothing by the test windows; their checkpoints are
evaluated afterwards, beside XGBoost on the pooled rows and each bakery alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import add
from pathlib import Path

from benchmarks.federations import feature_definition, federation_of, open_bakeries
from benchmarks.metered_grid import Spent
from glean.features.bakery_rows import BakeryRows
from glean.features.definition import FeatureDefinition
from glean.features.matrix import FeatureMatrix, stack
from glean.forecasting.forecast_model import ForecastModel
from glean.forecasting.forecasters import TreeForecaster, read_model
from glean.learning.boosting import train_pooled
from glean.learning.learning_rates import pooled_learning_rate_of
from glean.learning.local_trees import train_local_trees
from glean.metrics import ErrorSums
from glean.seeds import derived_seed
from glean.settings import RunSettings


@dataclass(frozen=True)
class EvaluatedRun:
    """A federation's models on the test windows, round by round.

    Parameters
    ----------
    wape : tuple of float
        Of each round's model.
    spent : tuple of Spent
        What had been spent when that model was there.
    total : Spent
        The whole run, the last model's scores on the validation windows included.
    validation : float
        WAPE of the last round's model on the validation windows.
    """

    wape: tuple[float, ...]
    spent: tuple[Spent, ...]
    total: Spent
    validation: float = math.nan

    @property
    def last_wape(self) -> float:
        """WAPE of the last round's model."""
        return self.wape[-1]

    @property
    def exchanges_a_round(self) -> float:
        """Exchanges that one more round costs."""
        steps = self.spent[-1].exchanges - self.spent[0].exchanges
        return steps / (len(self.spent) - 1) if len(self.spent) > 1 else float("nan")

    def wape_by(self, exchanges: int) -> float:
        """WAPE of the last model that was there after so many exchanges; NaN: there was none."""
        pairs = zip(self.wape, self.spent, strict=True)
        found = [wape for wape, spent in pairs if spent.exchanges <= exchanges]
        return found[-1] if found else float("nan")


def evaluated_run(settings: RunSettings, bakeries: int, scratch: Path) -> EvaluatedRun:
    """Run the rounds, then evaluate every checkpoint."""
    federation = federation_of(settings, bakeries, scratch)
    federation.run()
    total = federation.grid.so_far()
    all_rows = open_bakeries(settings, bakeries)
    models = [read_model(content) for content in federation.checkpoints()]
    wapes = tuple(_wape(all_rows, partial(_same, model)) for model in models)
    validation = _wape(all_rows, partial(_same, models[-1]), BakeryRows.validation)
    return EvaluatedRun(wapes, tuple(federation.folder.milestones), total, validation)


def pooled_wape(settings: RunSettings, bakeries: int) -> float:
    """WAPE of XGBoost on all rows in one place: same depth, rate and number of trees."""
    all_rows = open_bakeries(settings, bakeries)
    definition = feature_definition(all_rows, settings)
    rounds = settings.rounds
    forest = train_pooled(
        stack([bakery.training(definition) for bakery in all_rows if bakery.trains]),
        boosting=settings.boosting,
        learning_rate=pooled_learning_rate_of(rounds),
        steps=rounds.num_server_rounds * settings.boosting.trees_per_round,
        seed=settings.seed,
    )
    return _wape(all_rows, partial(_same, TreeForecaster(forest)))


def local_wape(settings: RunSettings, bakeries: int) -> float:
    """WAPE of each bakery alone, as the row "local" of `bakeries.csv` has it."""
    all_rows = open_bakeries(settings, bakeries)
    definition = feature_definition(all_rows, settings)

    def local_trees(bakery: BakeryRows) -> ForecastModel:
        grown = train_local_trees(
            bakery.training(definition),
            bakery.validation(definition),
            boosting=settings.boosting,
            seed=derived_seed(settings.seed, "local", bakery.sales.name),
        )
        return TreeForecaster(grown.forest)

    return _wape(all_rows, local_trees)


def _same(model: ForecastModel, _: BakeryRows) -> ForecastModel:
    return model


def _wape(
    bakeries: Sequence[BakeryRows],
    model_of: Callable[[BakeryRows], ForecastModel],
    window: Callable[[BakeryRows, FeatureDefinition], FeatureMatrix] = BakeryRows.test,
) -> float:
    """WAPE over all rows of all test windows, or of others."""
    sums: list[ErrorSums] = []
    for bakery in bakeries:
        model = model_of(bakery)
        rows = window(bakery, model.definition)
        sums.append(ErrorSums.of(rows.units, model.predict(rows)))
    return reduce(add, sums, ErrorSums()).wape
