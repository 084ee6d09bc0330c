"""Scores of all bakeries together, where each keeps its own at home.

A bakery's rows become sums that can be added under masks; their total becomes one row a method,
with the bakery "(all)".
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from glean.errors import ModelError
from glean.evaluation.tables.scores import BakeryScore
from glean.metrics import Floats
from glean.sales.table import ALL_BAKERIES

FIELDS = (
    "n_days", "n_rows", "units", "abs_error", "squared_error",
    "relative_error", "scaled_error", "signed_error",
)  # fmt: skip
"""Sums over a bakery's test rows; the last three are the means of `bakeries.csv` (mape, mase, and
the bias in units) times its number of rows or units."""

UNIT_POWERS = (0, 0, 1, 1, 2, 0, 0, 1)
"""By field, the power of the unit that it is counted in."""

_DECIMALS = 4
"""Sums in units are shown no finer than their fixed point is."""


def sums_of(scores: Sequence[BakeryScore], methods: Sequence[str]) -> Floats:
    """Turn a bakery's scores into sums.

    Parameters
    ----------
    scores : sequence of BakeryScore
        One a method.
    methods : sequence of str
        The methods in the order in which sums are added; those without a score have zeros.

    Returns
    -------
    float64 array of shape (methods, FIELDS)
    """
    by_method = {score.method: score for score in scores}
    none = [0.0] * len(FIELDS)
    found = [_sums(by_method[name]) if name in by_method else none for name in methods]
    return np.nan_to_num(np.array(found, dtype=np.float64))


def wapes_of(scores: Sequence[BakeryScore], methods: Sequence[str]) -> Floats:
    """Give a bakery's WAPE by method, in this order; methods without a score have none."""
    by_method = {score.method: score.wape for score in scores}
    return np.array([by_method[name] for name in methods if name in by_method], dtype=np.float64)


def scores_of(sums: Floats, methods: Sequence[str]) -> list[BakeryScore]:
    """Turn the sums of all bakeries, shape (methods, FIELDS), into one row a method.

    Raises
    ------
    ModelError
        They are no sums of scores: one that can't be negative is.
    """
    return [
        _score(name, dict(zip(FIELDS, row, strict=True)))
        for name, row in zip(methods, sums.tolist(), strict=True)
        if row[FIELDS.index("n_rows")] != 0
    ]


def _sums(score: BakeryScore) -> list[float]:
    return [
        score.n_days,
        score.n_rows,
        score.units,
        score.abs_error,
        score.rmse**2 * score.n_rows,
        score.mape * score.n_rows,
        score.mase * score.n_rows,
        score.bias * score.units,
    ]


def _score(method: str, sums: dict[str, float]) -> BakeryScore:
    rows, units = sums["n_rows"], sums["units"]
    if min(value for name, value in sums.items() if name != "signed_error") < 0:
        raise ModelError(f"found a negative sum of scores of {method}: {sums}")
    return BakeryScore(
        bakery=ALL_BAKERIES,
        cohort="established",
        method=method,
        n_days=round(sums["n_days"]),
        units=round(units, _DECIMALS),
        abs_error=round(sums["abs_error"], _DECIMALS),
        wape=_ratio(sums["abs_error"], units),
        mae=_ratio(sums["abs_error"], rows),
        rmse=math.sqrt(sums["squared_error"] / rows),
        mape=_ratio(sums["relative_error"], rows),
        mase=_ratio(sums["scaled_error"], rows),
        bias=_ratio(sums["signed_error"], units),
        n_rows=round(rows),
    )


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0 else math.nan
