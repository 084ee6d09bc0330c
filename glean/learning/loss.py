"""Losses whose trees follow from sums alone: gradient and hessian of each row.

Margins and targets come in, what XGBoost calls grad and hess goes out, for a row of weight 1. The
formulas are the derivatives of XGBoost's documented objectives with respect to the margin m.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from glean.errors import SettingsError
from glean.learning.fixed_point import GRADIENT_BOUND
from glean.settings import BoostingSettings

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

POISSON_MAX_DELTA_STEP = 0.7
"""XGBoost's default for count:poisson, in the hessian and as a limit of a leaf's weight."""

TWEEDIE_POWER = 1.5
"""XGBoost's default `tweedie_variance_power`."""

OBJECTIVES = ("reg:squarederror", "count:poisson", "reg:tweedie", "reg:quantileerror")


@dataclass(frozen=True)
class Loss:
    """One objective.

    Parameters
    ----------
    objective : str
        One of `OBJECTIVES`, XGBoost's names.
    quantile : float
        Level of "reg:quantileerror", between 0 and 1. Its leaves are Newton steps on sums, with
        hessian 1; XGBoost resets each to a quantile of its rows, which no sum tells.

    Raises
    ------
    SettingsError
        The objective can't be followed by sums, or the quantile is no share.
    """

    objective: str
    quantile: float = 0.5

    @classmethod
    def of(cls, boosting: BoostingSettings) -> Self:
        """Take it from the settings."""
        return cls(boosting.objective, boosting.quantile_alpha)

    def __post_init__(self) -> None:
        if self.objective == "reg:absoluteerror":
            raise SettingsError(
                "objective: found 'reg:absoluteerror', whose leaves are medians of their rows and "
                f"can't be had from sums; wanted one of {', '.join(OBJECTIVES)}"
            )
        if self.objective not in OBJECTIVES:
            raise SettingsError(
                f"objective: found {self.objective!r}; wanted one of {', '.join(OBJECTIVES)}"
            )
        if not 0.0 < self.quantile < 1.0:
            raise SettingsError(f"quantile: found {self.quantile}; wanted one between 0 and 1")

    @property
    def max_delta_step(self) -> float:
        """Largest weight of a leaf; 0: any."""
        return POISSON_MAX_DELTA_STEP if self.objective == "count:poisson" else 0.0

    @property
    def largest_hessian(self) -> float:
        """Largest hessian of a row of weight 1."""
        curved = self.objective in ("count:poisson", "reg:tweedie")
        return GRADIENT_BOUND if curved else 1.0

    def gradient_bounds(self, hessian: Floats, weight: float) -> tuple[Floats, Floats]:
        """Bound gradient sums by the hessian sums of the same rows.

        Parameters
        ----------
        hessian : float64 array
            Sums over any rows.
        weight : float
            What these rows weigh at most.

        Returns
        -------
        low, high : float64 arrays like `hessian`
            With e = exp(m) and what `gradients` clips: of "count:poisson" the gradient e - y is at
            most the hessian exp(0.7) e; of "reg:tweedie" it is the difference of two terms, neither
            negative, whose mean is the hessian; of the others the hessian is the weight.
        """
        low, least, high, most = self.gradient_line(weight)
        return low * hessian + least, high * hessian + most

    def gradient_line(self, weight: float) -> tuple[float, float, float, float]:
        """Give `gradient_bounds` as lines: slope and offset of the lowest, and of the highest."""
        match self.objective:
            case "count:poisson":
                return 0.0, -GRADIENT_BOUND * weight, 1.0, 0.0
            case "reg:tweedie":
                return -2.0, 0.0, 2.0, 0.0
            case "reg:quantileerror":
                return -self.quantile, 0.0, 1.0 - self.quantile, 0.0
            case _:
                return -GRADIENT_BOUND, 0.0, GRADIENT_BOUND, 0.0

    def gradients(self, y: Singles, margin: Singles) -> tuple[Floats, Floats]:
        """Differentiate the loss of each row once and twice.

        Parameters
        ----------
        y : float32 array of shape (rows,)
            Units / level, finite.
        margin : float32 array of shape (rows,)
            Where the model stands.

        Returns
        -------
        gradient, hessian : float64 arrays of shape (rows,)
            Clipped to `GRADIENT_BOUND`, so that a damaged row can't spoil the sums.
        """
        target, m = y.astype(np.float64), margin.astype(np.float64)
        with np.errstate(over="ignore"):
            gradient, hessian = self._derivatives(target, m)
        return (
            np.clip(gradient, -GRADIENT_BOUND, GRADIENT_BOUND),
            np.clip(hessian, 0.0, GRADIENT_BOUND),
        )

    def _derivatives(self, y: Floats, m: Floats) -> tuple[Floats, Floats]:
        match self.objective:
            case "count:poisson":
                return np.exp(m) - y, np.exp(m + POISSON_MAX_DELTA_STEP)
            case "reg:tweedie":
                a, b = 1.0 - TWEEDIE_POWER, 2.0 - TWEEDIE_POWER
                # A margin far out would make both terms infinite, and their difference NaN.
                low, high = y * np.exp(np.minimum(a * m, 300.0)), np.exp(np.minimum(b * m, 300.0))
                return high - low, b * high - a * low
            case "reg:quantileerror":
                return np.where(m >= y, 1.0 - self.quantile, -self.quantile), np.ones_like(m)
            case _:
                return m - y, np.ones_like(m)
