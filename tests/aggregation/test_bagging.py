"""Bagging: a weighted mean of proposals, independent of the order in which they arrive."""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glean.aggregation.bagging import merge
from glean.aggregation.update import TreeUpdate, Update, read_tree_update, share_weight
from glean.errors import ModelError
from glean.features.definition import FeatureDefinition
from glean.learning import ubj
from glean.learning.booster import predict
from glean.learning.forest import Forest
from tests.matrices import DEFINITION, random_forest, random_matrix, same_trees

WEIGHTS = st.lists(st.floats(0.5, 9e5), min_size=1, max_size=6)


def proposals(weights: list[float], *, trees: int = 2) -> list[TreeUpdate]:
    return [
        Update(f"bakery {number}", weight, random_forest(trees, seed=number + 1))
        for number, weight in enumerate(weights)
    ]


@given(WEIGHTS, st.randoms())
@settings(max_examples=40)
def test_the_order_of_replies_changes_no_byte(weights: list[float], chance: random.Random) -> None:
    """Shuffled updates give the same model and the same news, to the byte."""
    updates = proposals(weights)
    model, news = merge(random_forest(3), updates)
    chance.shuffle(updates)
    again, news_again = merge(random_forest(3), updates)
    assert same_trees(model, again)
    assert same_trees(news, news_again)


@given(WEIGHTS, st.integers(0, 3))
@settings(max_examples=30)
def test_every_tree_is_there_exactly_once(weights: list[float], trees: int) -> None:
    """The model keeps its trees in front; behind them stands one copy of each received tree."""
    before, updates = random_forest(3), proposals(weights, trees=trees)
    model, news = merge(before, updates)
    assert same_trees(model.first(3), before)
    assert same_trees(model, before.plus(news.trees))
    shapes = Counter(tree.split_feature.tobytes() for tree in news.trees)
    assert shapes == Counter(
        tree.split_feature.tobytes() for update in updates for tree in update.content.trees
    )


@given(WEIGHTS)
@settings(max_examples=30)
def test_the_model_adds_the_weighted_mean_of_the_proposals(weights: list[float]) -> None:
    """Forecast = forecast before + weighted mean of what each bakery would have added."""
    before, updates, x = random_forest(3), proposals(weights), random_matrix(40).x
    model, _ = merge(before, updates)
    start = predict(before, x)
    added = [predict(before.plus(update.content.trees), x) - start for update in updates]
    wanted = np.average(added, axis=0, weights=weights)
    assert predict(model, x) - start == pytest.approx(wanted, abs=1e-5)


def test_merging_into_a_large_model_costs_what_is_new() -> None:
    """A model of 20,000 trees takes the same news in hardly more time than an empty one."""
    updates = proposals([1.0] * 50, trees=1)
    large = random_forest(10).plus(random_forest(1).trees * 20_000)

    def seconds(model: Forest) -> float:
        best = math.inf
        for _ in range(5):
            start = time.perf_counter()
            merge(model, updates)
            best = min(best, time.perf_counter() - start)
        return best

    assert seconds(large) < 5 * seconds(random_forest(0)) + 0.002


@pytest.mark.parametrize(
    ("updates", "words"),
    [
        ([], "no update"),
        ([("a", 1.0), ("a", 2.0)], "two updates of 'a'"),
        ([("a", 0.0)], "'a': found weight 0.0"),
        ([("a", float("nan"))], "'a': found weight nan"),
        ([("a", 1.0), ("b", float("inf"))], "'b': found weight inf"),
    ],
)
def test_updates_that_cant_be_weighed_are_named(
    updates: list[tuple[str, float]], words: str
) -> None:
    """No update, the same bakery twice or an odd weight is refused by name."""
    forest = random_forest(1)
    with pytest.raises(ModelError, match=words):
        merge(forest, [Update(name, weight, forest) for name, weight in updates])


@given(st.floats(1e-3, 1e12))
def test_a_weight_travels_with_two_digits(total: float) -> None:
    """Rounded weights have two significant digits and are at most 5% off."""
    rounded = share_weight(total)
    assert float(f"{rounded:.1e}") == rounded
    assert rounded == pytest.approx(total, rel=0.0501)


def checked(data: bytes, *, trees: int = 2) -> Forest:
    return read_tree_update(
        data, definition_identity=DEFINITION.identity, objective="reg:squarederror", trees=trees
    )


def with_leaf(forest: Forest, value: float) -> bytes:
    """A reply whose last leaf has `value`, written past Glean's own checks."""
    content = ubj.read(forest.to_bytes())
    tree = content["learner"]["gradient_booster"]["model"]["trees"][-1]
    tree["split_conditions"] = tree["split_conditions"].copy()
    tree["split_conditions"][-1] = value
    return ubj.write(content)


def test_a_sound_reply_is_taken() -> None:
    """The trees come through the check unchanged."""
    forest = random_forest(2)
    assert same_trees(checked(forest.to_bytes()), forest)


GOOD = random_forest(2)
OTHER = FeatureDefinition(horizon_days=2, season=False)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (random_forest(3).to_bytes(), "found 3 new trees; wanted 2"),
        (random_forest(1).to_bytes(), "found 1 new trees; wanted 2"),
        (GOOD.to_bytes()[:-40], "cut short|at most"),
        (GOOD.to_bytes() + b"\0", "after the end"),
        (b"", "cut short"),
        (with_leaf(GOOD, float("nan")), "tree 1 has a value that isn't finite"),
        (with_leaf(GOOD, float("-inf")), "tree 1 has a value that isn't finite"),
        (Forest.empty(OTHER, objective="reg:squarederror").to_bytes(), "feature definition"),
        (replace(GOOD, attributes={}).to_bytes(), "found feature definition"),
        (
            replace(GOOD, attributes={"glean_features": "[" * 100_000}).to_bytes(),
            "found feature definition",
        ),
        (replace(GOOD, feature_names=GOOD.feature_names[::-1]).to_bytes(), "columns aren't those"),
        (replace(GOOD, objective="count:poisson").to_bytes(), "objective 'count:poisson'"),
    ],
)
def test_a_reply_that_doesnt_fit_is_refused(data: bytes, words: str) -> None:
    """Wrong features, loss or number of trees, odd leaves, damage: each is said in words."""
    with pytest.raises(ModelError, match=words):
        checked(data)
