"""The best split of a histogram, against a search that is slow and obvious."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glean.learning.fixed_point import FixedPoint
from glean.learning.splits import LEAST_GAIN, Penalties, best_splits

SCALE = FixedPoint(rows=1000, bits=4)


@dataclass(frozen=True)
class Found:
    """What the slow search found."""

    gain: float
    column: int
    edge: int
    default_left: int
    left: tuple[int, int]


def shrunk(gradient: float, alpha: float) -> float:
    if gradient > alpha:
        return gradient - alpha
    return gradient + alpha if gradient < -alpha else 0.0


def slow_weight(g: float, h: float, p: Penalties) -> float:
    if h <= 0 or h < p.min_child_weight:
        return 0.0
    weight = -shrunk(g, p.reg_alpha) / (h + p.reg_lambda)
    if p.max_delta_step:
        weight = max(-p.max_delta_step, min(p.max_delta_step, weight))
    return weight


def slow_gain(g: float, h: float, p: Penalties) -> float:
    if h <= 0:
        return 0.0
    if p.max_delta_step:
        w = slow_weight(g, h, p)
        return -(2 * g * w + (h + p.reg_lambda) * w * w)
    return shrunk(g, p.reg_alpha) ** 2 / (h + p.reg_lambda)


def slow_best(histogram: list[list[tuple[int, int]]], p: Penalties) -> Found | None:
    """Try every column, direction and edge, the first of equals being kept."""
    unit = 2**SCALE.bits
    total = tuple(sum(pair[k] for pair in histogram[0]) for k in (0, 1))
    best = None
    for column, slots in enumerate(histogram):
        *values, missing = slots
        for default_left in (0, 1):
            for edge in range(len(values)):
                taken = values[: edge + 1] + [missing] * default_left
                left = tuple(sum(pair[k] for pair in taken) for k in (0, 1))
                right = tuple(total[k] - left[k] for k in (0, 1))
                if min(left[1], right[1]) <= 0:
                    continue
                if min(left[1], right[1]) / unit < p.min_child_weight:
                    continue
                gain = sum(slow_gain(s[0] / unit, s[1] / unit, p) for s in (left, right))
                if best is None or gain > best.gain:
                    best = Found(gain, column, edge, default_left, (left[0], left[1]))
    if best is None:
        return None
    best = replace(best, gain=best.gain - slow_gain(total[0] / unit, total[1] / unit, p))
    return best if best.gain > LEAST_GAIN and best.gain >= p.gamma else None


PENALTIES = st.builds(
    Penalties,
    reg_lambda=st.sampled_from([0.0, 1.0, 4.0]),
    reg_alpha=st.sampled_from([0.0, 0.5]),
    gamma=st.sampled_from([0.0, 2.0]),
    min_child_weight=st.sampled_from([0.0, 1.0, 3.0]),
    max_delta_step=st.sampled_from([0.0, 0.7]),
)


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), penalties=PENALTIES)
def test_the_fast_search_finds_what_the_slow_one_finds(seed: int, penalties: Penalties) -> None:
    """Small whole numbers, so that ties abound; columns that miss values and others that don't."""
    rng = np.random.default_rng(seed)
    widths = rng.integers(2, 6, size=3)
    starts = np.cumsum(widths) - widths
    histograms = np.zeros((4, widths.sum(), 2), dtype=np.int64)
    missing_of = rng.random(3) < 0.5
    for node in range(4):
        for _ in range(rng.integers(1, 12)):
            pair = rng.integers(-40, 40), rng.integers(0, 3) * 8
            for column in range(3):
                slot = rng.integers(0, widths[column] - (not missing_of[column]))
                histograms[node, starts[column] + slot] += pair
    found = best_splits(histograms, widths, penalties=penalties, scale=SCALE)
    for node in range(4):
        columns = [
            [(int(g), int(h)) for g, h in histograms[node, a : a + w]]
            for a, w in zip(starts, widths, strict=True)
        ]
        wanted = slow_best(columns, penalties)
        assert found.valid[node] == (wanted is not None)
        if wanted is not None:
            assert found.gain[node] == pytest.approx(wanted.gain, rel=1e-12)
            place = found.column[node], found.edge[node], found.default_left[node]
            assert place == (wanted.column, wanted.edge, wanted.default_left)
            assert tuple(found.left[node]) == wanted.left
    assert (found.only_valid().node == np.flatnonzero(found.valid)).all()


def test_many_nodes_are_searched_as_few_are() -> None:
    """More nodes than are looked at side by side: each finds what it finds alone."""
    rng = np.random.default_rng(0)
    widths = np.array([4, 3])
    histograms = rng.integers(0, 50, size=(600, 7, 2))
    # Both columns hold the same rows.
    histograms[:, 6] += histograms[:, :4].sum(axis=1) - histograms[:, 4:].sum(axis=1)
    histograms[:, 4:, 1] = np.abs(histograms[:, 4:, 1])
    together = best_splits(histograms, widths, penalties=Penalties(), scale=SCALE)
    for node in (0, 255, 256, 599):
        alone = best_splits(histograms[[node]], widths, penalties=Penalties(), scale=SCALE)
        assert alone.gain[0] == together.gain[node]
        assert (alone.left[0] == together.left[node]).all()
    assert together.node.tolist() == list(range(600))


@given(g=st.integers(-5000, 5000), h=st.integers(0, 500), penalties=PENALTIES)
def test_weights_gains_and_leaves_are_as_written_down(g: int, h: int, penalties: Penalties) -> None:
    """Against the formulas for one leaf in plain Python; leaves are rounded to float32."""
    sums = np.array([[g, h]])
    unit = 2**SCALE.bits
    gradient, hessian = np.array([g / unit]), np.array([h / unit])
    weight = slow_weight(g / unit, h / unit, penalties)
    assert penalties.weights(gradient, hessian)[0] == pytest.approx(weight)
    assert penalties.gains(gradient, hessian)[0] == pytest.approx(
        slow_gain(g / unit, h / unit, penalties), abs=1e-9
    )
    (leaf,) = penalties.leaf_values(sums, scale=SCALE, factor=np.float32(0.3))
    assert leaf == np.float32(weight) * np.float32(0.3)
    splits = h > 0 and h / unit >= 2 * penalties.min_child_weight
    assert penalties.can_split(sums, scale=SCALE)[0] == splits
