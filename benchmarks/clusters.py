"""Clusters of alike bakeries, each with a model of its own, against one model for all.

Run `python -m benchmarks.clusters [JOB...]` (`--seeds 2`); the real table comes from the folder
that GLEAN_TABLES names. No test window is looked at: the two months before it are evaluated on, and
all that is chosen, clusters too, is chosen on the days before those. A cluster is a whole
federation with the default settings, whose model each bakery refines and chooses its forecast from.
WAPEs are means over seeds; the last columns say what the bakeries bake by ("chosen") against the
same with one model for all, the mean and by seed. Clusters would be worth having at -0.5%.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial, reduce
from operator import add
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from benchmarks.federations import feature_definition, federation_of, open_bakeries
from benchmarks.grouping import Groups, by_loss, by_weekday
from benchmarks.jobs import JOBS, Job
from glean.features.bakery_rows import BakeryRows
from glean.features.definition import FeatureDefinition
from glean.forecasting.client_model import ClientModel
from glean.forecasting.forecast_model import ForecastModel, LocalTraining
from glean.forecasting.forecasters import TreeForecaster, read_model
from glean.forecasting.model_selection import CHALLENGERS, ModelSelection, select_model
from glean.forecasting.personalization import personalize
from glean.forecasting.shrinkage import trading_days
from glean.learning.learning_rates import learning_rate_of
from glean.learning.local_trees import train_local_trees
from glean.metrics import ErrorSums
from glean.seeds import derived_seed
from glean.settings import RunSettings

EVALUATION_DAYS = {
    "synthetic-40": ("2025-03-09", "2025-05-04"),
    "restaurants-100": ("2016-12-01", "2017-02-01"),
}
"""Job -> the first day that is evaluated on, and the first of the test window, which isn't."""

SEEDS = 2
METHODS = ("federated", "personalised", "chosen", "local")
ONE = "one model"


@dataclass(frozen=True)
class Trial:
    """A job's bakeries with one seed.

    Parameters
    ----------
    bakeries : sequence of BakeryRows
        All of them; they stand at the place of their number.
    definition : FeatureDefinition
        What they agree on when all are together.
    settings : RunSettings
        Their test window begins with the first day that is evaluated on.
    end : Timestamp
        First day that isn't evaluated on any more.
    """

    bakeries: Sequence[BakeryRows]
    definition: FeatureDefinition
    settings: RunSettings
    end: pd.Timestamp

    @classmethod
    def of(cls, job: Job, scratch: Path, *, seed: int) -> Self:
        """Open the bakeries of a job."""
        start, end = EVALUATION_DAYS[job.name]
        config = {"test_start": start, "secure_sums": "false", "min_available_bakeries": "1"}
        settings = job.settings(scratch, **config, seed=str(seed))
        bakeries = open_bakeries(settings, job.bakeries)
        definition = feature_definition(bakeries, settings)
        return cls(bakeries, definition, settings, pd.Timestamp(end))

    def groupings(self) -> dict[str, Callable[[], Groups]]:
        """Name the ways of drawing clusters; `ONE` is the baseline."""
        ways: dict[str, Callable[[], Groups]] = {
            ONE: lambda: np.zeros(len(self.bakeries), dtype=np.int64)
        }
        for name, draw in (("least loss", by_loss), ("weekdays", by_weekday)):
            for k in (2, 3):
                ways[f"{name}, {k}"] = partial(
                    draw, self.bakeries, self.definition, clusters=k, settings=self.settings
                )
        return ways

    def evaluate(self, groups: Groups, scratch: Path) -> dict[str, ErrorSums]:
        """Run a federation for each cluster; the errors of all bakeries by method."""
        found: list[Mapping[str, ErrorSums]] = []
        for k in np.unique(groups):
            members = np.flatnonzero(groups == k).tolist()
            model = self._model_of(members, scratch)
            found += [self._errors(self.bakeries[number], model) for number in members]
        return {method: reduce(add, (each[method] for each in found)) for method in METHODS}

    def _model_of(self, members: Sequence[int], scratch: Path) -> ForecastModel:
        result = federation_of(self.settings, members, scratch).run()
        return read_model(result.model.to_bytes())

    def _errors(self, bakery: BakeryRows, model: ForecastModel) -> dict[str, ErrorSums]:
        features = bakery.features(model.definition)
        evaluated = features.between(bakery.windows.test_start, self.end)
        made = client_model(bakery, model).forecasts(evaluated)
        return {method: ErrorSums.of(evaluated.units, made[method]) for method in METHODS}


def client_model(bakery: BakeryRows, model: ForecastModel) -> ClientModel:
    """Do as `fit_client_model` does, but train the bakery's own model once for all clusters."""
    definition = model.definition
    training, validation = bakery.training(definition), bakery.validation(definition)
    local = _local(bakery, definition)
    settings = bakery.settings
    how = LocalTraining(settings.boosting, learning_rate_of(settings.rounds), seed=_seed(bakery))
    personal = personalize(model, training, validation, how=how)
    unselected = ClientModel(model, personal, local, ModelSelection({"local": 1.0}))
    made = unselected.forecasts(validation)
    tried = {method: made[method] for method in CHALLENGERS}
    selection = select_model(validation, tried, history_days=trading_days(training))
    return ClientModel(model, personal, local, selection)


@lru_cache(maxsize=1000)
def _local(bakery: BakeryRows, definition: FeatureDefinition) -> ForecastModel:
    grown = train_local_trees(
        bakery.training(definition),
        bakery.validation(definition),
        boosting=bakery.settings.boosting,
        seed=_seed(bakery),
    )
    return TreeForecaster(grown.forest)


def _seed(bakery: BakeryRows) -> int:
    return derived_seed(bakery.settings.seed, "local", bakery.sales.name)


def measure(job: Job, seed: int, scratch: Path) -> pd.DataFrame:
    """Evaluate all groupings with one seed: a row each, with clusters' sizes and WAPE by method."""
    trial = Trial.of(job, scratch, seed=seed)
    rows = []
    for name, grouping in trial.groupings().items():
        groups = grouping()
        sums = trial.evaluate(groups, scratch / "runs")
        sizes = "+".join(str(size) for size in np.bincount(groups) if size)
        wapes = {method: sums[method].wape for method in METHODS}
        rows.append({"grouping": name, "seed": seed, "sizes": sizes, **wapes})
    return pd.DataFrame(rows)


def compare(found: pd.DataFrame) -> pd.DataFrame:
    """Take the mean over seeds, and say what clusters gain over one model."""
    by_grouping = found.groupby("grouping", sort=False)
    table = by_grouping[list(METHODS)].mean()
    chosen = found.pivot_table(index="grouping", columns="seed", values="chosen").add_prefix(
        "seed "
    )
    chosen.insert(0, "against one", table["chosen"])
    table = table.join(chosen.div(chosen.loc[ONE]).sub(1))
    table["sizes"] = by_grouping["sizes"].agg(", ".join)
    return table


def main() -> None:
    """Print a table a job."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=", ".join(EVALUATION_DAYS))
    parser.add_argument("--seeds", type=int, default=SEEDS)
    args = parser.parse_args()
    first = RunSettings().seed
    with tempfile.TemporaryDirectory() as scratch:
        for name in args.jobs or [name for name in EVALUATION_DAYS if JOBS[name].available()]:
            seeds = range(first, first + args.seeds)
            tables = [measure(JOBS[name], seed, Path(scratch)) for seed in seeds]
            start, end = EVALUATION_DAYS[name]
            print(f"\n{name}: WAPE from {start} to the day before {end}")
            print(compare(pd.concat(tables)).to_string(float_format="%.4f"), flush=True)


if __name__ == "__main__":
    main()
