"""What one bakery knows of its final test beyond scores: single days, plans, coverage, the choice.

In a simulation these go with the scores and become files of the run; in a deployment they stay in
the bakery's home.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from glean.errors import ModelError
from glean.evaluation.plans import CRITICAL_RATIOS, PLAN_COLUMNS, plan_rows
from glean.evaluation.sureness import COVERAGE_COLUMNS, INTERVALS, coverage_row, ends_of
from glean.features.matrix import FeatureMatrix
from glean.forecasting.own_model import OwnModel
from glean.forecasting.rolling import RollingQuantiles, rolling_quantiles
from glean.metrics import Floats
from glean.sales.products import Product

METHODS = ("federated", "personalised", "chosen", "local", "weekday-mean", "last-week")
DAY_COLUMNS = (
    "date",
    "bakery",
    "product",
    "units",
    *METHODS,
    *(f"{end}_{interval}" for interval in INTERVALS for end in ("lower", "upper")),
)
CHOICE_COLUMNS = (
    "bakery",
    "personalised",
    "federated",
    "local",
    "weekday-mean",
    "trees_share",
    "level_share",
    "reason",
)
TABLES = {
    "days.csv": DAY_COLUMNS,
    "plan.csv": PLAN_COLUMNS,
    "coverage.csv": COVERAGE_COLUMNS,
    "choice.csv": CHOICE_COLUMNS,
}
"""Files and their columns."""

_LEVELS = np.array(sorted({*CRITICAL_RATIOS, *(e for i in INTERVALS for e in ends_of(i))}))


@dataclass(frozen=True)
class JudgedBakery:
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


def details_of(
    bakery: JudgedBakery, own: OwnModel, *, products: Mapping[str, Product], seed: int
) -> dict[str, pd.DataFrame]:
    """Make the tables of one bakery.

    Parameters
    ----------
    bakery : JudgedBakery
        Its rows.
    own : OwnModel
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
    quantiles = _quantiles(bakery, own, made["chosen"], seed=seed)
    return {
        "days.csv": _days(bakery.test, made, quantiles),
        "plan.csv": plan_rows(bakery.test, made, quantiles, bakery=bakery.name, products=products),
        "coverage.csv": coverage_row(
            bakery.test, quantiles, bakery=bakery.name, cohort=bakery.cohort
        ),
        "choice.csv": _choice(bakery.name, own),
    }


def to_texts(tables: Mapping[str, pd.DataFrame]) -> dict[str, str]:
    """Write tables as CSV, numbers to six digits."""
    return {
        name: table.to_csv(
            index=False, lineterminator="\n", date_format="%Y-%m-%d", float_format="%.6g"
        )
        for name, table in tables.items()
    }


def joined(texts: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Put the tables of several bakeries under each other.

    Raises
    ------
    ModelError
        A table is none of `TABLES` or has other columns.
    """
    found: dict[str, str] = {}
    for tables in texts:
        for name, text in tables.items():
            header, _, rows = text.partition("\n")
            if header != ",".join(TABLES.get(name, ())):
                raise ModelError(f"found {name!r:.40} with columns {header!r:.80}; wanted its own")
            found[name] = found.get(name, header + "\n") + rows
    return found


def _quantiles(
    bakery: JudgedBakery, own: OwnModel, forecast: Floats, *, seed: int
) -> RollingQuantiles:
    past = own.past_errors(bakery.training, bakery.validation)
    return rolling_quantiles(past, bakery.test, forecast, levels=_LEVELS, seed=seed)


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


def _choice(bakery: str, own: OwnModel) -> pd.DataFrame:
    row: dict[str, object] = {name: own.choice.weights.get(name, 0.0) for name in CHOICE_COLUMNS}
    row |= {
        "bakery": bakery,
        "trees_share": own.personal.trees_share,
        "level_share": own.personal.level_share,
        "reason": own.choice.reason,
    }
    return pd.DataFrame([row], columns=list(CHOICE_COLUMNS))
