from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.features.bins import bin_edges, in_bins
from glean.features.definition import FeatureDefinition
from glean.features.matrix import build_features
from glean.learning.booster import predict
from glean.learning.boosting import TreeLearner
from glean.settings import BoostingSettings
from tests.tables import random_table

DEFINITION = FeatureDefinition(horizon_days=1, season=True, covariates=("wind",))


@pytest.mark.parametrize("bins", [2, 8, 32, 256])
def test_edges_ascend_and_are_no_more_than_asked_for(bins: int) -> None:
    """Every column has public edges, fixed by its name and the number of bins alone."""
    for name in DEFINITION.names:
        edges = bin_edges(name, DEFINITION, bins=bins)
        assert (np.diff(edges) > 0).all()
        few_by_nature = 7
        assert 1 <= len(edges) <= max(bins - 1, few_by_nature)


@given(value=st.floats(-1e5, 1e5, width=32), bins=st.sampled_from([2, 32, 256]))
def test_binning_keeps_the_side_of_every_edge(value: float, bins: int) -> None:
    """A value and its bin lie on the same side of each edge, so trees treat them alike."""
    x = np.full((1, len(DEFINITION.names)), value, dtype=np.float32)
    binned = in_bins(x, DEFINITION, bins=bins)
    for column, name in enumerate(DEFINITION.names):
        edges = bin_edges(name, DEFINITION, bins=bins)
        np.testing.assert_array_equal(x[0, column] < edges, binned[0, column] < edges)
    np.testing.assert_array_equal(in_bins(binned, DEFINITION, bins=bins), binned)


def test_trees_split_at_public_edges_only() -> None:
    """No threshold of a grown tree is a value of the bakery's data."""
    features = build_features(random_table(days=300), FeatureDefinition(1, season=True))
    boosting = BoostingSettings(min_child_weight=1)
    learner = TreeLearner(features, boosting=boosting)
    forest = learner.grow(learner.start(), learning_rate=0.3, steps=10, seed=1)
    splits = 0
    for tree in forest.trees:
        for feature, value in zip(
            tree.split_feature[tree.left >= 0], tree.value[tree.left >= 0], strict=True
        ):
            name = features.definition.names[feature]
            edges = bin_edges(name, features.definition, bins=boosting.bins)
            # Beyond the largest bin that it met XGBoost parts known values from missing ones.
            places = np.concatenate([edges[:1] - 1, edges])
            beyond = places + (np.abs(places) + 1e-5)
            assert value in edges or np.isclose(value, beyond, rtol=1e-6).any(), (name, value)
            splits += 1
    assert splits > 100


def test_margins_on_bins_are_margins_on_values() -> None:
    """Trees grown on bins forecast the raw values alike: to the bit."""
    features = build_features(random_table(days=300), FeatureDefinition(1, season=False))
    learner = TreeLearner(features, boosting=BoostingSettings(min_child_weight=1))
    forest = learner.grow(learner.start(), learning_rate=0.3, steps=5, seed=1)
    binned = in_bins(features.x, features.definition, bins=BoostingSettings().bins)
    assert not np.array_equal(binned, features.x, equal_nan=True)
    np.testing.assert_array_equal(predict(forest, features.x), predict(forest, binned))
