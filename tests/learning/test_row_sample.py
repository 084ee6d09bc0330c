"""Rows are drawn by what they are, wherever they stand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.learning.row_sample import MOST_SEED, row_keys, sampled, sampled_columns, sampled_numbers
from tests.histogram_federation import non_iid_matrix


def keys_of(rows: list[tuple[str, str, str]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["date", "bakery", "product"])
    return frame.assign(date=pd.to_datetime(frame["date"]))


def test_keys_follow_from_bakery_product_and_day_alone() -> None:
    """In any order and any company a row has the same key, and no two rows share one."""
    keys = non_iid_matrix(3000, seed=1).keys
    all_at_once = row_keys(keys)
    assert len(np.unique(all_at_once)) == 3000
    order = np.random.default_rng(0).permutation(3000)
    for part in np.array_split(order, 7):
        assert (row_keys(keys.iloc[part].reset_index(drop=True)) == all_at_once[part]).all()


def test_names_that_read_alike_have_keys_of_their_own() -> None:
    """Where the bakery's name ends and the product's begins is part of the key."""
    found = row_keys(
        keys_of([("2024-01-01", "a", "bc"), ("2024-01-01", "ab", "c"), ("2024-01-02", "a", "bc")])
    )
    assert len(set(found.tolist())) == 3
    assert len(row_keys(keys_of([]))) == 0


@given(seed=st.integers(0, MOST_SEED), share=st.floats(0.05, 1.0))
def test_about_the_share_is_drawn_and_more_only_adds(seed: int, share: float) -> None:
    """A row drawn at a share is drawn at every larger one."""
    keys = row_keys(non_iid_matrix(2000, seed=2).keys)
    found = sampled(keys, seed, share=share)
    assert found.mean() == pytest.approx(share, abs=0.07)
    assert not (found & ~sampled(keys, seed, share=min(1.0, share * 1.2))).any()


def test_neighbouring_seeds_draw_independently() -> None:
    """Rows drawn by both of two seeds are as many as chance would have."""
    keys = row_keys(non_iid_matrix(4000, seed=2).keys)
    masks = [sampled(keys, seed, share=0.5) for seed in range(6)]
    for a in range(6):
        for b in range(a):
            assert (masks[a] & masks[b]).mean() == pytest.approx(0.25, abs=0.04)


@given(columns=st.integers(1, 60), share=st.floats(0.05, 1.0), seed=st.integers(0, MOST_SEED))
def test_columns_are_distinct_ascending_and_as_many_as_xgboost_takes(
    columns: int, share: float, seed: int
) -> None:
    """The share of the columns, rounded down, one at least."""
    found = sampled_columns(columns, seed, share=share)
    assert len(found) == max(1, int(columns * share))
    assert (np.diff(found) > 0).all()
    assert found[0] >= 0
    assert found[-1] < columns


def test_every_column_gets_its_turn() -> None:
    """Over many trees no column is preferred."""
    counts = np.zeros(10)
    for seed in sampled_numbers(3, 2000) >> np.uint64(1):
        counts[sampled_columns(10, int(seed), share=0.3)] += 1
    assert counts == pytest.approx(np.full(10, 600), abs=100)
