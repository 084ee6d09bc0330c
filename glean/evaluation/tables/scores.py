"""Final scores: the test forecasts of one bakery become its rows of `bakeries.csv`.

In come the test rows of a `FeatureMatrix` and each method's forecast of exactly these rows; out
goes one `BakeryScore` a method, from which `evaluation.summary` adds up the federation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glean.features.matrix import FeatureMatrix
from glean.metrics import ErrorSums, Floats, mase, seasonal_naive_scale


@dataclass(frozen=True)
class BakeryScore:
    """One row of `bakeries.csv`: one method on the test window of one bakery.

    Parameters
    ----------
    bakery : str
        Name of the bakery; "(all)" where bakeries keep their own rows at home.
    cohort : str
        Either "newcomer" or "established".
    method : str
        "federated", "personalised", "chosen", "local", "pooled", "weekday-mean", "last-week";
        "start-from".
    n_days : int
        Distinct days of the test rows.
    units : float
        Sum of the units sold.
    abs_error : float
        Sum of absolute errors, units.
    wape, mape, bias : float
        Shares of one; `bias` above zero is baked too much. NaN where nothing was sold.
    mae, rmse : float
        Units. NaN without rows.
    mase : float
        Mean absolute error in units of the seasonal naive forecast's on the training rows.
    n_rows : int
        Test rows (days times products): the weight of `rmse` when bakeries are added up.
    """

    bakery: str
    cohort: str
    method: str
    n_days: int
    units: float
    abs_error: float
    wape: float
    mae: float
    rmse: float
    mape: float
    mase: float
    bias: float
    n_rows: int

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Read one row of `bakeries.csv`, whose values may be text; further columns are ignored."""
        return cls(**{item.name: _KINDS[str(item.type)](row[item.name]) for item in fields(cls)})

    def to_row(self) -> dict[str, str | int | float]:
        """Column name -> value, in the order of the file."""
        return asdict(self)


_KINDS: dict[str, type] = {"str": str, "int": int, "float": float}

SCORE_COLUMNS = tuple(item.name for item in fields(BakeryScore))
"""Columns of `bakeries.csv`, in order."""


def score_frame(scores: Iterable[BakeryScore]) -> pd.DataFrame:
    """Table of scores with the columns of `bakeries.csv`."""
    return pd.DataFrame([score.to_row() for score in scores], columns=list(SCORE_COLUMNS))


def score_methods(
    features: FeatureMatrix,
    forecasts: Mapping[str, NDArray[Any]],
    *,
    bakery: str,
    cohort: str,
    scale: Floats,
) -> list[BakeryScore]:
    """Score every method on the same test rows of one bakery.

    Parameters
    ----------
    features : FeatureMatrix
        The test rows, n of them (none is allowed: the bakery is then listed with NaN).
    forecasts : mapping of str to array of shape (n,)
        Method -> forecast in units.
    bakery, cohort : str
        As they shall stand in the rows.
    scale : array of shape (n,)
        Scale of MASE of each row, units (see `naive_scale`).

    Raises
    ------
    ValueError
        A forecast has another number of rows or a value that isn't finite (a programmer's slip).
    """
    _check(forecasts, rows=features.units.size)
    n_days = int(features.keys["date"].nunique())
    scores = []
    for method, forecast in forecasts.items():
        sums = ErrorSums.of(features.units, forecast)
        scores.append(
            BakeryScore(
                bakery=bakery,
                cohort=cohort,
                method=method,
                n_days=n_days,
                units=sums.units,
                abs_error=sums.abs_error,
                wape=sums.wape,
                mae=sums.mae,
                rmse=sums.rmse,
                mape=sums.mape,
                mase=mase(features.units, forecast, scale),
                bias=sums.bias,
                n_rows=int(sums.rows),
            )
        )
    return scores


def naive_scale(train: FeatureMatrix, test: FeatureMatrix) -> Floats:
    """Scale of MASE for each test row: how far "the same weekday a week before" is off in training.

    Each product's training series is compared with itself one trading week earlier, where a
    trading week has as many steps as the bakery trades weekdays (6 where it is closed on Sundays),
    so that a step of one season meets the same weekday in weeks without an extra closed day. A
    weekday counts when the bakery traded on it at least half as often as on its busiest weekday: a
    single Sunday in Advent doesn't make a week of seven days.

    Parameters
    ----------
    train, test : FeatureMatrix
        Rows of one bakery before and in the test window.

    Returns
    -------
    array of shape (n_test,)
        Units; NaN for a product that wasn't sold for more than a week in training.
    """
    if test.units.size == 0 or train.units.size == 0:
        return np.full(test.units.size, np.nan)
    season = trading_week(train.keys["date"])
    rows = train.keys.assign(units=train.units).sort_values("date")
    scales = {
        product: seasonal_naive_scale(series.to_numpy(), season)
        for product, series in rows.groupby("product")["units"]
    }
    return np.array([scales.get(name, np.nan) for name in test.keys["product"]], dtype=np.float64)


def trading_week(dates: pd.Series[pd.Timestamp]) -> int:
    """Weekdays that a bakery trades on, 1 to 7 (see `naive_scale`)."""
    days = dates.drop_duplicates().dt.day_of_week.value_counts()
    return int((days >= days.max() / 2).sum())


def _check(forecasts: Mapping[str, NDArray[Any]], *, rows: int) -> None:
    for method, forecast in forecasts.items():
        if forecast.shape != (rows,):
            raise ValueError(f"{method}: shape {forecast.shape}; wanted ({rows},) like the units")
        if not np.isfinite(forecast).all():
            raise ValueError(f"{method}: a forecast isn't finite; methods share all rows or none")
