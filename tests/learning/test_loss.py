"""Gradients and hessians are XGBoost's."""

from __future__ import annotations

import numpy as np
import pytest
import xgboost
from numpy.typing import NDArray

from glean.errors import SettingsError
from glean.learning.fixed_point import GRADIENT_BOUND
from glean.learning.loss import OBJECTIVES, Loss
from glean.settings import BoostingSettings
from tests.histogram_federation import singles

Floats = NDArray[np.float64]


def xgboost_root(objective: str, y: float, margin: float, **more: float) -> tuple[float, float]:
    """Gradient and hessian of one row, told from two roots: w = -g / (h + lambda)."""
    weights = []
    for reg_lambda in (0.5, 2.0):
        rows = xgboost.DMatrix(np.zeros((1, 1)), label=[y], base_margin=[margin], nthread=1)
        parameters = {
            "objective": objective, "max_depth": 1, "learning_rate": 1.0, "base_score": 1.0,
            "reg_lambda": reg_lambda, "min_child_weight": 0.0, "max_delta_step": 0.0,
            "nthread": 1, **more,
        }  # fmt: skip
        booster = xgboost.train(parameters, rows, num_boost_round=1)
        leaf = booster.predict(rows, output_margin=True)[0] - margin
        weights.append(float(leaf))
    hessian = (2.0 * weights[1] - 0.5 * weights[0]) / (weights[0] - weights[1])
    return -weights[0] * (hessian + 0.5), hessian


@pytest.mark.parametrize("objective", ["reg:squarederror", "reg:tweedie"])
@pytest.mark.parametrize(("y", "margin"), [(0.0, 0.4), (0.3, -0.8), (2.5, 0.1), (1.2, 1.5)])
def test_derivatives_are_those_that_xgboost_s_leaves_follow(
    objective: str, y: float, margin: float
) -> None:
    """What one row's leaf is worth under two penalties tells both."""
    gradient, hessian = Loss(objective).gradients(singles(y), singles(margin))
    wanted = xgboost_root(objective, y, margin)
    assert (gradient[0], hessian[0]) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("objective", ["reg:squarederror", "count:poisson", "reg:tweedie"])
def test_the_gradient_falls_to_zero_at_the_target(objective: str) -> None:
    """A forecast of exactly y has nothing to learn, and hessians are above zero."""
    y = singles(0.1, 1.0, 3.0)
    margin = y if objective == "reg:squarederror" else np.log(y).astype(np.float32)
    gradient, hessian = Loss(objective).gradients(y, margin)
    assert gradient == pytest.approx(np.zeros(3), abs=1e-6)
    assert (hessian > 0).all()


def test_poisson_and_quantile_are_as_documented() -> None:
    """By hand: exp(m) - y and exp(m + 0.7); -alpha below the target, 1 - alpha above."""
    gradient, hessian = Loss("count:poisson").gradients(singles(2.0), singles(0.5))
    assert (gradient[0], hessian[0]) == pytest.approx((np.exp(0.5) - 2, np.exp(1.2)), rel=1e-6)
    loss = Loss("reg:quantileerror", 0.9)
    gradient, hessian = loss.gradients(singles(1, 1, 1), singles(0.5, 1.0, 1.5))
    assert gradient == pytest.approx([-0.9, 0.1, 0.1])
    assert hessian.tolist() == [1, 1, 1]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_no_row_however_damaged_passes_the_bound(objective: str) -> None:
    """Targets and margins of any size give finite gradients within the declared bound."""
    sizes = singles(0, 1e-30, 1, 63, 65, 1e6, 3e38)
    y, margin = (part.ravel() for part in np.meshgrid(sizes, np.concatenate([-sizes, sizes])))
    for part in Loss(objective).gradients(y, margin):
        assert (np.abs(part) <= GRADIENT_BOUND).all()


def test_medians_and_unknown_losses_are_refused_with_the_reason() -> None:
    """Whoever asks learns what to ask for instead."""
    with pytest.raises(SettingsError, match=r"reg:absoluteerror.*medians.*reg:squarederror"):
        Loss.of(BoostingSettings(objective="reg:absoluteerror"))
    with pytest.raises(SettingsError, match="objective: found 'reg:gamma'"):
        Loss("reg:gamma")
    for quantile in (0.0, 1.0, float("nan")):
        with pytest.raises(SettingsError, match="quantile: found"):
            Loss("reg:quantileerror", quantile)
