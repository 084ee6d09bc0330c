"""What one bakery knows of its final test beyond scores: single days, plans, coverage, the choice.

A simulation's bakery makes them in the final test, and the server, which can open its table anyway,
asks for them afterwards. In a deployment they travel in no message and stay in the bakery's home.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from glean.aggregation.error_histogram import ErrorDistribution
from glean.evaluation.tables.choices import (
    CHOICE_COLUMNS,
    CHOSEN_BY_COLUMNS,
    choice_row,
)
from glean.evaluation.tables.coverage import COVERAGE_COLUMNS, INTERVALS, coverage_row, ends_of
from glean.evaluation.tables.plan_backtest import (
    CRITICAL_RATIOS,
    PLAN_COLUMNS,
    local_rows,
    plan_rows,
)
from glean.features.bakery_rows import BakeryRows
from glean.features.definition import FeatureDefinition
from glean.features.matrix import FeatureMatrix
from glean.forecasting.client_model import ClientModel, fit_client_model
from glean.forecasting.forecast_model import ForecastModel, LocalTraining
from glean.forecasting.forecasters import read_model
from glean.forecasting.prior import prior_calibration
from glean.forecasting.rolling_origin import RollingQuantiles, rolling_quantiles
from glean.metrics import Floats
from glean.runs.spreadsheet_cells import to_spreadsheet_csv
from glean.sales.products import Product, read_products
from glean.seeds import derived_seed

METHODS = ("federated", "personalised", "chosen", "local", "weekday-mean", "last-week")
DAY_COLUMNS = (
    "date",
    "bakery",
    "product",
    "units",
    *METHODS,
    *(f"{end}_{interval}" for interval in INTERVALS for end in ("lower", "upper")),
)
TABLES = {
    "days.csv": DAY_COLUMNS,
    "plan.csv": PLAN_COLUMNS,
    "alone.csv": PLAN_COLUMNS,
    "coverage.csv": COVERAGE_COLUMNS,
    "choice.csv": (*CHOICE_COLUMNS, *CHOSEN_BY_COLUMNS),
}
"""Files and their columns."""

_LEVELS = np.array(sorted({*CRITICAL_RATIOS, *(e for i in INTERVALS for e in ends_of(i))}))


@dataclass(frozen=True)
class WindowedRows:
    """One bakery's rows by window.

    Parameters
    ----------
    name, cohort : str
        As they shall stand in the tables.
    training, validation, test : FeatureMatrix
        Its rows.
    """

    name: str
    cohort: str
    training: FeatureMatrix
    validation: FeatureMatrix
    test: FeatureMatrix

    @classmethod
    def of(cls, bakery: BakeryRows, definition: FeatureDefinition) -> Self:
        """Take the rows of a bakery of a run."""
        return cls(
            bakery.name,
            bakery.windows.cohort,
            bakery.training(definition),
            bakery.validation(definition),
            bakery.test(definition),
        )


def client_model_of(
    bakery: BakeryRows, model: bytes, *, learning_rate: float, errors: ErrorDistribution | None
) -> ClientModel:
    """Make what a bakery of a run forecasts from.

    Parameters
    ----------
    bakery : BakeryRows
        The bakery.
    model : bytes
        The federation's final model.
    learning_rate : float
        The federation's.
    errors : ErrorDistribution or None
        How far the model is off at other bakeries, where that is known.
    """
    shared = read_model(model)
    definition = shared.definition
    settings = bakery.settings
    return fit_client_model(
        shared,
        bakery.training(definition),
        bakery.validation(definition),
        boosting=settings.boosting,
        learning_rate=learning_rate,
        seed=_local_seed(bakery),
        prior=None if errors is None else prior_calibration(errors),
        noised=settings.noise.wanted,
    )


def train_local_model(
    bakery: BakeryRows, shared: ForecastModel, *, learning_rate: float
) -> ForecastModel:
    """Train the model of a bakery's rows alone, the one that its `ClientModel` has.

    Parameters
    ----------
    bakery : BakeryRows
        The bakery.
    shared : ForecastModel
        A federation's: the bakery's own is of the same kind, on the same features.
    learning_rate : float
        The federation's.
    """
    training, validation = bakery.training(shared.definition), bakery.validation(shared.definition)
    how = LocalTraining(bakery.settings.boosting, learning_rate, _local_seed(bakery))
    return shared.train_local(training, validation, how)


def _local_seed(bakery: BakeryRows) -> int:
    return derived_seed(bakery.settings.seed, "local", bakery.name)


def tables_of_client(bakery: BakeryRows, own: ClientModel) -> dict[str, pd.DataFrame]:
    """Make the tables of a bakery of a run, with the run's product list and seed."""
    settings = bakery.settings
    path = settings.table.products
    return client_tables(
        WindowedRows.of(bakery, own.shared.definition),
        own,
        products=read_products(Path(path)) if path else {},
        seed=derived_seed(settings.seed, "chance", bakery.name),
    )


def client_tables(
    bakery: WindowedRows, own: ClientModel, *, products: Mapping[str, Product], seed: int
) -> dict[str, pd.DataFrame]:
    """Make the tables of one bakery.

    Parameters
    ----------
    bakery : WindowedRows
        Its rows.
    own : ClientModel
        What it forecasts from.
    products : mapping of str to Product
        Its product list, empty where it has none.
    seed : int
        Seed of the randomised PIT.

    Returns
    -------
    dict of str to DataFrame
        By file, with the columns of `TABLES`.
    """
    made = own.forecasts(bakery.test)
    past = own.residuals(bakery.training, bakery.validation)
    quantiles, alone = (
        rolling_quantiles(
            past[method], bakery.test, made[method], levels=_LEVELS, seed=seed, prior=prior
        )
        # The local model has no prior: that is the federation's.
        for method, prior in (("chosen", own.prior), ("local", None))
    )
    return {
        "days.csv": _days(bakery.test, made, quantiles),
        "plan.csv": plan_rows(bakery.test, made, quantiles, bakery=bakery.name, products=products),
        "alone.csv": local_rows(bakery.test, alone, bakery=bakery.name, products=products),
        "coverage.csv": coverage_row(
            bakery.test, quantiles, bakery=bakery.name, cohort=bakery.cohort
        ),
        "choice.csv": pd.DataFrame(
            [choice_row(bakery.name, own, units=float(bakery.validation.units.sum()))],
            columns=list(TABLES["choice.csv"]),
        ),
    }


def to_texts(tables: Mapping[str, pd.DataFrame]) -> dict[str, str]:
    """Write tables as CSV, numbers to six digits."""
    return {name: to_spreadsheet_csv(table, float_format="%.6g") for name, table in tables.items()}


def _days(
    test: FeatureMatrix, made: Mapping[str, Floats], quantiles: RollingQuantiles
) -> pd.DataFrame:
    ends = {
        f"{end}_{interval}": quantiles.at(level)
        for interval in INTERVALS
        for end, level in zip(("lower", "upper"), ends_of(interval), strict=True)
    }
    methods = {name: made[name] for name in METHODS}
    return test.keys.assign(units=test.units, **methods, **ends)[list(DAY_COLUMNS)]
