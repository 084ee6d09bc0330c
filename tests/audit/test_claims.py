"""When a claim counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from glean.audit.bakery_truth import BakeryTruth
from glean.audit.claims import TOLERANCE, Claims
from glean.audit.leaf_sums import LeafSums
from glean.features.definition import FeatureDefinition
from glean.features.matrix import FeatureMatrix, build_features
from glean.learning.bin_layout import BinLayout
from glean.learning.oblivious_trees import DEPTH, random_trees
from tests.tables import random_table

DEFINITION = FeatureDefinition(horizon_days=1, season=False)
LAYOUT = BinLayout(DEFINITION, 32)
TREES = random_trees(LAYOUT, seed=2, number=1)
LEAVES = 2**DEPTH


def truth_of(features: FeatureMatrix) -> BakeryTruth:
    return BakeryTruth("bakery 0", features, features, LAYOUT)


@pytest.fixture
def truth() -> BakeryTruth:
    """The rows of a bakery."""
    return truth_of(build_features(random_table(days=40, closed_weekday=None), DEFINITION))


def exact_sums(truth: BakeryTruth) -> LeafSums:
    """Opened sums of a bakery that is alone, in the first round."""
    leaves = truth.leaves(TREES)
    count = sum(int((tree.left < 0).sum()) for tree in TREES)
    levels, errors = (
        np.bincount(leaves.ravel(), np.tile(values, len(leaves)), count).astype(np.float64)
        for values in (truth.level, truth.level - truth.units)
    )
    return LeafSums(1, TREES, levels, errors)


def test_a_row_alone_in_a_leaf_is_recovered_and_no_other(truth: BakeryTruth) -> None:
    """Its leaf's sums are its level and its units."""
    sums = exact_sums(truth)
    leaves = truth.leaves(TREES)
    rows = np.bincount(leaves.ravel(), minlength=len(sums.levels))
    alone = (rows[leaves] == 1).any(axis=0)
    assert alone.any()
    assert not alone.all()
    np.testing.assert_array_equal(Claims.single_rows(sums).recovered(truth), alone)


@pytest.mark.parametrize(("off", "right"), [(0.9 * TOLERANCE, True), (1.1 * TOLERANCE, False)])
@pytest.mark.parametrize("part", ["level", "units"])
def test_both_numbers_have_to_be_near(
    truth: BakeryTruth, off: float, right: bool, part: str
) -> None:
    """One row and claims that are off by so much in one of the two."""
    row = truth_of(truth.training.rows(np.arange(len(truth)) == np.argmax(truth.units > 0)))
    sums = exact_sums(row)
    reached = sums.levels > 0
    levels = np.where(reached, row.level[0] * (1 + off * (part == "level")), np.nan)
    units = np.where(reached, row.units[0] * (1 + off * (part == "units")), np.nan)
    assert Claims(sums, levels, units).recovered(row).tolist() == [right]


def test_a_claim_counts_for_one_row_only(truth: BakeryTruth) -> None:
    """Two rows that are alike in the same leaf: one claim, one of them."""
    row = truth.training.rows(np.arange(len(truth)) == np.argmax(truth.units > 0))
    twice = truth_of(
        replace(
            row,
            x=np.repeat(row.x, 2, axis=0),
            level=np.repeat(row.level, 2),
            units=np.repeat(row.units, 2),
        )
    )
    sums = exact_sums(truth_of(row))
    one_tree = LeafSums(1, TREES[:1], sums.levels[:LEAVES], sums.errors[:LEAVES])
    assert Claims.single_rows(one_tree).recovered(twice).sum() == 1


def test_a_claim_about_another_leaf_is_wrong(truth: BakeryTruth) -> None:
    """The right numbers in a leaf that the row doesn't reach."""
    row = truth_of(truth.training.rows(np.arange(len(truth)) == np.argmax(truth.units > 0)))
    sums = exact_sums(row)
    elsewhere = np.where(sums.levels > 0, np.nan, 1.0)
    claims = Claims(sums, elsewhere * row.level[0], elsewhere * row.units[0])
    assert not claims.recovered(row).any()


def test_of_two_runs_only_trees_of_both_are_subtracted(truth: BakeryTruth) -> None:
    """And what is left of a run less one with fewer rows is what those rows add."""
    some = np.arange(len(truth)) % 3 > 0
    fewer, rest = (truth_of(truth.training.rows(mask)) for mask in (some, ~some))
    other = exact_sums(fewer)
    one_tree = LeafSums(1, other.trees[1:], other.levels[LEAVES:], other.errors[LEAVES:])
    left = exact_sums(truth).less(one_tree)
    assert left.trees == TREES[1:]
    np.testing.assert_allclose(left.levels, exact_sums(rest).levels[LEAVES:], atol=1e-9)
    np.testing.assert_allclose(left.units, exact_sums(rest).units[LEAVES:], atol=1e-9)
