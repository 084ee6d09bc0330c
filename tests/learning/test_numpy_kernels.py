"""Loops by NumPy and compiled ones give the same numbers, to the bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.learning import kernels, numpy_kernels
from glean.learning.fixed_point import FixedPoint
from glean.learning.row_sample import sampled, seed_number
from tests.inprocess_runs import config_of, run

SEEDS = st.integers(0, 2**32 - 1)
SLOTS = 9


def table(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Bins of rows, and their gradients, as large as fixed point has them."""
    rows, columns = int(rng.integers(1, 60)), int(rng.integers(1, 5))
    bins = rng.integers(0, SLOTS, size=(rows, columns), dtype=np.uint8)
    return bins, rng.integers(-(2**60), 2**60, size=(rows, 2)) // rows


def parted(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows in an order, cut into nodes, some of them empty."""
    cuts = np.sort(rng.integers(0, rows + 1, size=3))
    edges = np.array([0, *cuts, rows])
    return rng.permutation(rows).astype(np.int32), edges[:-1].copy(), edges[1:].copy()


@given(SEEDS)
def test_sums_by_bin_are_the_same(seed: int) -> None:
    """Of the columns that a tree has."""
    rng = np.random.default_rng(seed)
    bins, gradients = table(rng)
    rows, begin, end = parted(rng, len(bins))
    columns = rng.permutation(bins.shape[1])[: int(rng.integers(1, bins.shape[1] + 1))]
    starts = (np.arange(len(columns)) * SLOTS).astype(np.uint64)
    found = []
    for loop in (kernels.kernels().sum_by_bin, numpy_kernels.sum_by_bin):
        out = np.zeros((len(begin), len(columns) * SLOTS, 2), dtype=np.int64)
        loop(bins, gradients, rows, begin, end, columns.astype(np.uint64), starts, out)
        found.append(out)
    np.testing.assert_array_equal(found[0], found[1])


@given(SEEDS)
def test_rows_are_parted_the_same(seed: int) -> None:
    """In the same order, with missing values to either side."""
    rng = np.random.default_rng(seed)
    bins, _ = table(rng)
    count, columns = 3, bins.shape[1]
    splits = (
        np.array([0, 1, 2]),
        rng.integers(0, columns, size=count),
        rng.integers(0, SLOTS - 2, size=count),
        rng.integers(0, 2, size=count),
    )
    missing = np.full(columns, SLOTS - 1)
    order = rng.permutation(len(bins)).astype(np.int32)
    found = []
    for loop in (kernels.kernels().part_rows, numpy_kernels.part_rows):
        rows, begin, end = order.copy(), np.zeros(7, np.int64), np.zeros(7, np.int64)
        end[0] = len(rows)
        loop(bins, rows, begin, end, 0, *splits, missing)
        found.append((rows, begin, end))
    for compiled, plain in zip(*found, strict=True):
        np.testing.assert_array_equal(compiled, plain)


@given(SEEDS)
def test_leaves_and_their_sums_are_the_same(seed: int) -> None:
    """Of made-up trees: any node leads to any two neighbours."""
    rng = np.random.default_rng(seed)
    bins, gradients = table(rng)
    nodes, trees = 12, 3
    column = rng.integers(0, bins.shape[1], size=nodes)
    edge, lost = rng.integers(0, SLOTS, size=(2, nodes))
    child = rng.integers(0, nodes - 1, size=nodes)
    packed = ((child << kernels.BIN_BITS | lost) << kernels.BIN_BITS | edge).astype(np.uint64)
    splits = packed << np.uint64(kernels.COLUMN_BITS) | column.astype(np.uint64)
    roots = np.arange(trees, dtype=np.uint32)
    value = rng.normal(size=nodes).astype(np.float32)
    found = []
    for loops in (kernels.kernels(), numpy_kernels):
        leaves = np.empty((trees, len(bins)), dtype=np.uint32)
        margin = np.zeros(len(bins), dtype=np.float32)
        sums = np.zeros((nodes, 2), dtype=np.int64)
        loops.find_leaves(bins, roots, 4, splits, leaves)
        loops.add_leaves(leaves, value, margin)
        loops.sum_by_leaf(leaves, gradients, sums)
        found.append((leaves, margin, sums))
    for compiled, plain in zip(*found, strict=True):
        np.testing.assert_array_equal(compiled, plain)


@given(SEEDS, st.floats(0.0, 1.0))
def test_the_same_rows_are_drawn(seed: int, share: float) -> None:
    """Of those that weigh something; as `sampled` says of each row."""
    rng = np.random.default_rng(seed)
    keys = rng.integers(0, 2**64, size=int(rng.integers(0, 60)), dtype=np.uint64)
    weighs = rng.random(len(keys)) < 0.8
    wanted = np.flatnonzero(sampled(keys, seed, share=share) & weighs)
    for loop in (kernels.kernels().draw_rows, numpy_kernels.draw_rows):
        rows = np.empty(len(keys) + 1, dtype=np.int32)
        assert rows[: loop(keys, seed_number(seed), share, weighs, rows)].tolist() == [*wanted]


ODD = (0.0, 0.5, 1.5, -2.5, 1e300, -1e300, np.inf, -np.inf, np.nan)
"""Halves, which go to even numbers; what is beyond the largest sum; what is no number."""


@given(st.lists(st.tuples(*[st.sampled_from(ODD) | st.floats(-1e3, 1e3)] * 2), max_size=20))
def test_pairs_are_rounded_the_same(pairs: list[tuple[float, float]]) -> None:
    """As `FixedPoint.encode` rounds them."""
    values = np.asfortranarray(np.array(pairs, dtype=np.float64).reshape(-1, 2))
    scale = FixedPoint.for_rows(1000)
    weight = np.linspace(0.25, 3.0, len(values))
    with np.errstate(over="ignore", invalid="ignore"):
        wanted = scale.encode(values * weight[:, None])
    for loop in (kernels.kernels().round_pairs, numpy_kernels.round_pairs):
        out = np.empty((len(values), 2), dtype=np.int64)
        loop(values[:, 0], values[:, 1], weight, scale.unit, 2.0**46, out)
        np.testing.assert_array_equal(out, wanted)


@given(SEEDS)
def test_the_same_pairs_fit(seed: int) -> None:
    """At the bounds and beside them."""
    rng = np.random.default_rng(seed)
    sums = rng.integers(-1, 12, size=(int(rng.integers(0, 6)), 2))
    line = np.array([-2.0, 0.0, 1.0, float(rng.integers(0, 3))])
    args = sums, 2.0, float(rng.integers(2, 6)), 0.5, line
    assert kernels.kernels().pairs_fit(*args) == numpy_kernels.pairs_fit(*args)


@pytest.mark.parametrize("aggregation", ["bagging", "histogram"])
def test_a_run_without_numba_makes_the_same_model(
    aggregation: str, tmp_path: Path, three_bakeries: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the byte."""
    config = config_of(three_bakeries, num_server_rounds=2, aggregation=aggregation)
    whole = run(tmp_path / "with", config)
    monkeypatch.setattr(kernels, "find_spec", lambda _: None)
    kernels.kernels.cache_clear()
    assert kernels.kernels().sum_by_leaf is numpy_kernels.sum_by_leaf
    try:
        slim = run(tmp_path / "without", config)
    finally:
        kernels.kernels.cache_clear()
    assert (slim / "model.ubj").read_bytes() == (whole / "model.ubj").read_bytes()
