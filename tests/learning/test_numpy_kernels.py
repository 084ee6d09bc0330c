"""Loops by NumPy and compiled ones give the same numbers, to the bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.learning import kernels, numpy_kernels
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
