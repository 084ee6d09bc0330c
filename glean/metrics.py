"""Forecast accuracy: pure functions of actuals and forecasts, and sums that add up over bakeries.

Definitions follow Hyndman and Athanasopoulos, "Forecasting: Principles and Practice" (3rd ed.,
section 5.8) and, for MASE, Hyndman and Koehler, "Another look at measures of forecast accuracy"
(International Journal of Forecasting, 2006). Every function returns NaN where it has no rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glean.metric_sums import MetricSums

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ErrorSums(MetricSums):
    """Sums of forecast errors over rows.

    Parameters
    ----------
    rows : float
        Number of forecast rows.
    units : float
        Sum of the actual units.
    signed_error : float
        Sum of forecast minus actual, units.
    abs_error : float
        Sum of absolute errors, units.
    squared_error : float
        Sum of squared errors, units squared.
    sold_rows : float
        Number of rows with units above zero.
    relative_error : float
        Sum over those rows of absolute error / units.

    Examples
    --------
    >>> ErrorSums.of([10.0, 20.0], [12.0, 20.0]).wape
    0.06666666666666667
    """

    COLUMNS: ClassVar[tuple[str, ...]] = ("wape", "mae", "rmse", "mape")
    UNIT_POWERS: ClassVar[tuple[int, ...]] = (0, 1, 1, 1, 2, 0, 0)
    SIGNED: ClassVar[frozenset[str]] = frozenset({"signed_error"})

    units: float = 0.0
    signed_error: float = 0.0
    abs_error: float = 0.0
    squared_error: float = 0.0
    sold_rows: float = 0.0
    relative_error: float = 0.0

    @classmethod
    def of(cls, actual: ArrayLike, forecast: ArrayLike) -> ErrorSums:
        """Sum the errors of `forecast` against `actual`, both of shape (rows,), in units."""
        units = np.asarray(actual, dtype=np.float64)
        error = np.asarray(forecast, dtype=np.float64) - units
        sold = units > 0
        return cls(
            rows=float(units.size),
            units=float(units.sum()),
            signed_error=float(error.sum()),
            abs_error=float(np.abs(error).sum()),
            squared_error=float((error**2).sum()),
            sold_rows=float(sold.sum()),
            relative_error=float((np.abs(error[sold]) / units[sold]).sum()),
        )

    @classmethod
    def of_bounded(cls, value: float) -> ErrorSums:
        """Make sums whose WAPE is `value`, at least 0; the other metrics are NaN.

        Examples
        --------
        >>> ErrorSums.of_bounded(0.2).metrics()
        {'wape': 0.2, 'mae': nan, 'rmse': nan, 'mape': nan}
        """
        return cls(units=1.0, abs_error=max(value, 0.0))

    def impossible(self, slack: float = 0.0) -> str:
        """Say why no rows can have these sums; "" where some can.

        The bias is at most the absolute error, and that squared at most the rows times the squared
        error (Cauchy and Schwarz).
        """
        if why := super().impossible(slack):
            return why
        # Floats that were added up in another order differ by some last digits.
        near = 1.0 + 1e-9
        if abs(self.signed_error) > self.abs_error * near + 2 * slack:
            return f"found a bias beyond the absolute error: {self}"
        if self.sold_rows > self.rows + 2 * slack:
            return f"found more rows that sold than rows: {self}"
        most = (self.rows + slack) * (self.squared_error + slack) * near
        least = max(self.abs_error - slack, 0.0)
        if least * least > most:
            return f"found an absolute error that its squares don't allow: {self}"
        return ""

    def metrics(self) -> dict[str, float]:
        """Give WAPE, MAE, RMSE and MAPE."""
        return {"wape": self.wape, "mae": self.mae, "rmse": self.rmse, "mape": self.mape}

    @property
    def wape(self) -> float:
        """Sum of absolute errors / sum of units."""
        return _ratio(self.abs_error, self.units)

    @property
    def mae(self) -> float:
        """Mean absolute error, units."""
        return _ratio(self.abs_error, self.rows)

    @property
    def rmse(self) -> float:
        """Root of the mean squared error, units."""
        return float(np.sqrt(_ratio(self.squared_error, self.rows)))

    @property
    def mape(self) -> float:
        """Mean of absolute error / units over the rows with units above zero."""
        return _ratio(self.relative_error, self.sold_rows)

    @property
    def bias(self) -> float:
        """Sum of forecast minus actual / sum of units: above zero is baked too much."""
        return _ratio(self.signed_error, self.units)


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0 else float("nan")


def mae(actual: ArrayLike, forecast: ArrayLike) -> float:
    """Mean absolute error, units."""
    return ErrorSums.of(actual, forecast).mae


def rmse(actual: ArrayLike, forecast: ArrayLike) -> float:
    """Root mean squared error, units."""
    return ErrorSums.of(actual, forecast).rmse


def mape(actual: ArrayLike, forecast: ArrayLike) -> float:
    """Mean absolute percentage error as a share, over rows with units above zero."""
    return ErrorSums.of(actual, forecast).mape


def wape(actual: ArrayLike, forecast: ArrayLike) -> float:
    """Weighted absolute percentage error as a share: sum of absolute errors / sum of units."""
    return ErrorSums.of(actual, forecast).wape


def bias(actual: ArrayLike, forecast: ArrayLike) -> float:
    """Sum of forecast minus actual / sum of units."""
    return ErrorSums.of(actual, forecast).bias


def mase(actual: ArrayLike, forecast: ArrayLike, scale: ArrayLike) -> float:
    """Mean absolute scaled error (Hyndman and Koehler 2006).

    Parameters
    ----------
    actual, forecast : array of shape (rows,)
        Units.
    scale : array of shape (rows,) or float
        Mean absolute error of the seasonal naive forecast on each row's training series, units
        (see `seasonal_naive_scale`). Rows whose scale is zero or NaN are left out.
    """
    error = np.abs(np.asarray(forecast, dtype=np.float64) - np.asarray(actual, dtype=np.float64))
    scales = np.broadcast_to(np.asarray(scale, dtype=np.float64), error.shape)
    usable = scales > 0
    return float(np.mean(error[usable] / scales[usable])) if usable.any() else float("nan")


def seasonal_naive_scale(series: ArrayLike, season: int) -> float:
    """Mean absolute difference of a series (shape (n,)) to itself `season` steps before."""
    values = np.asarray(series, dtype=np.float64)
    if values.size <= season:
        return float("nan")
    return float(np.mean(np.abs(values[season:] - values[:-season])))


def pinball(actual: ArrayLike, forecast: ArrayLike, quantile: float) -> float:
    """Mean pinball loss of a quantile forecast (Koenker and Bassett 1978), units.

    Parameters
    ----------
    actual, forecast : array of shape (rows,)
        Units.
    quantile : float
        Level of the forecast quantile, strictly between 0 and 1.
    """
    shortfall = np.asarray(actual, dtype=np.float64) - np.asarray(forecast, dtype=np.float64)
    if shortfall.size == 0:
        return float("nan")
    return float(np.mean(np.maximum(quantile * shortfall, (quantile - 1) * shortfall)))
