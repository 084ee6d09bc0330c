"""Model files: genuine XGBoost models, read strictly, harmless to XGBoost whatever was sent."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from glean.errors import ModelError
from glean.learning import ubj
from glean.learning.forest import FEATURES_KEY, Forest
from glean.learning.tree import Nodes, Tree
from tests.matrices import DEFINITION, random_forest, random_matrix

NAMES = list(DEFINITION.names)


def loaded(data: bytes) -> xgboost.Booster:
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(data))
    return booster


def walked(forest: Forest, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Forecast row by row, node by node: the slow and obvious way."""
    total = np.full(len(x), 1.0, dtype=np.float32)
    for tree in forest.trees:
        for row, values in enumerate(x):
            node = 0
            while tree.left[node] >= 0:
                found = values[tree.split_feature[node]]
                left = (
                    bool(tree.default_left[node]) if math.isnan(found) else found < tree.value[node]
                )
                node = int(tree.left[node] if left else tree.right[node])
            total[row] += tree.value[node]
    return total


@cache
def trained(*, steps: int = 12, **parameters: object) -> bytes:
    matrix = random_matrix(300)
    rows = xgboost.DMatrix(matrix.x, label=matrix.y, feature_names=NAMES, nthread=1)
    fixed = {"base_score": 1.0, "nthread": 1, "tree_method": "hist", "max_depth": 4}
    booster = xgboost.train(fixed | parameters, rows, steps)
    booster.set_attr(**{FEATURES_KEY: DEFINITION.to_json()})
    return bytes(booster.save_raw("ubj"))


@pytest.mark.parametrize(
    "parameters",
    [
        {"objective": "reg:squarederror"},
        {"objective": "reg:absoluteerror"},
        {"objective": "count:poisson"},
        {"objective": "reg:tweedie", "num_parallel_tree": 3, "subsample": 0.5},
        {"gamma": 0.5},
        {"steps": 140, "max_depth": 1},
    ],
)
def test_a_model_of_xgboost_keeps_its_forecasts_but_not_its_row_counts(
    parameters: dict[str, object],
) -> None:
    """Read and written again, XGBoost's own model forecasts the same; hessian sums are gone."""
    data = trained(**parameters)
    forest = Forest.from_bytes(data, feature_names=NAMES)
    rows = xgboost.DMatrix(random_matrix(200, seed=1).x, feature_names=NAMES, nthread=1)
    assert forest.definition == DEFINITION
    rewritten = loaded(forest.to_bytes())
    assert np.array_equal(rewritten.predict(rows), loaded(data).predict(rows))
    trees = ubj.read(forest.to_bytes())["learner"]["gradient_booster"]["model"]["trees"]
    for name in ("sum_hessian", "base_weights", "loss_changes"):
        assert not any(tree[name].any() for tree in trees)


@given(st.integers(0, 300), st.integers(0, 4), st.integers(0, 99))
@settings(max_examples=25)
def test_xgboost_saves_a_forest_back_byte_for_byte(trees: int, depth: int, seed: int) -> None:
    """XGBoost reads what Glean writes as it stands, attributes included; so does Glean."""
    data = random_forest(trees, depth=depth, seed=seed).to_bytes()
    assert bytes(loaded(data).save_raw("ubj")) == data
    assert Forest.from_bytes(data).to_bytes() == data


def test_forecasts_equal_a_walk_through_the_nodes() -> None:
    """XGBoost's forecast of a hand-made forest is bit for bit that of a slow plain walk."""
    forest, x = random_forest(40), random_matrix(60, seed=3).x
    rows = xgboost.DMatrix(x, feature_names=NAMES, nthread=1)
    assert np.array_equal(loaded(forest.to_bytes()).predict(rows), walked(forest, x))


def test_scaling_and_cutting_act_on_what_trees_add() -> None:
    """Half the leaves add half as much; the first trees and the rest add up to the whole."""
    forest, x = random_forest(10), random_matrix(50).x
    added = walked(forest, x) - 1.0
    assert walked(forest.scaled(0.5), x) - 1.0 == pytest.approx(added / 2, abs=1e-5)
    again = forest.first(4).plus(forest.trees[4:])
    assert again.to_bytes() == forest.to_bytes()
    assert forest.first(4).tree_count == 4


def test_two_thousand_trees_are_written_and_read_quickly() -> None:
    """A model of 2,000 trees of 127 nodes takes a fraction of a second either way."""
    forest = random_forest(2_000, depth=6)
    start = time.perf_counter()
    data = forest.to_bytes()
    written = time.perf_counter()
    Forest.from_bytes(data)
    assert written - start < 1.0
    assert time.perf_counter() - written < 1.0


def broken(name: str, node: int, value: float) -> Tree:
    """A tree of seven nodes with one entry changed."""
    tree = random_forest(1, depth=2).trees[0]
    array = getattr(tree, name).copy()
    array[node] = value
    return replace(tree, **{name: array})


@pytest.mark.parametrize(
    ("name", "node", "value", "words"),
    [
        ("left", 0, 7, "out of range"),
        ("left", 0, 0, "out of range"),
        ("right", 1, -5, "out of range"),
        ("left", 1, -1, "one child"),
        ("left", 0, 2, "twice or never"),
        ("left", 1, 1, "twice or never"),
        ("split_feature", 1, len(NAMES), "beyond"),
        ("split_feature", 1, -1, "beyond"),
        ("value", 0, float("nan"), "finite"),
        ("value", 6, float("inf"), "finite"),
        ("value", 6, -2e6, "finite"),
        ("default_left", 0, 2, "direction"),
    ],
)
def test_arrays_that_are_no_tree_are_refused(
    name: str, node: int, value: float, words: str
) -> None:
    """Every way to break a tree's arrays is named, with the tree's number."""
    whole = random_forest(1, depth=2).trees
    with pytest.raises(ModelError, match=rf"tree 1 .*{words}"):
        Nodes.of([*whole, broken(name, node, value)]).checked(len(NAMES))


def test_a_threshold_may_be_as_large_as_a_covariate() -> None:
    """Columns have units of their own; only leaves are bounded."""
    tree = broken("value", 0, 1e12)
    checked = Nodes.of([tree]).checked(len(NAMES)).trees()[0]
    assert checked.value[0] == np.float32(1e12)


def chain(links: list[int]) -> Tree:
    """A tree in which node 2k has the children 2k+1 (a leaf) and 2k+2, but for `links`."""
    size = 2 * len(links) + 1
    left, right = np.full(size, -1, np.int32), np.full(size, -1, np.int32)
    left[: size - 1 : 2] = np.arange(1, size, 2)
    right[: size - 1 : 2] = links
    zeros = np.zeros(size, np.int32)
    return Tree(left, right, zeros, zeros.astype(np.float32), zeros.astype(np.uint8))


def test_trees_too_deep_or_in_circles_are_refused() -> None:
    """Twelve levels pass, thirteen don't, and a circle beside the root's tree is found."""
    Nodes.of([chain([2 * k + 2 for k in range(12)])]).checked(1)
    with pytest.raises(ModelError, match="deeper than 12"):
        Nodes.of([chain([2 * k + 2 for k in range(13)])]).checked(1)
    with pytest.raises(ModelError, match="circles"):
        Nodes.of([chain([6, 2, 4])]).checked(1)


def changed(path: list[str | int], value: object) -> bytes:
    """A trained model's file with one entry set to `value`."""
    content = ubj.read(trained(steps=2))
    place = content
    for step in path[:-1]:
        place = place[step]  # type: ignore[index]
    place[path[-1]] = value  # type: ignore[index]
    return ubj.write(content)


MODEL: list[str | int] = ["learner", "gradient_booster", "model"]


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (["version"], [2, 0, 0], "XGBoost 3"),
        (["learner", "further"], "x", "learner holds"),
        (["learner", "objective"], {"name": "rank:ndcg"}, "objective"),
        (["learner", "learner_model_param", "base_score"], "[5E-1]", "base_score"),
        (["learner", "feature_names"], ["a", "a"], "name each"),
        (["learner", "feature_names"], NAMES[1:], "num_feature"),
        (["learner", "feature_types"], ["c"] * len(NAMES), "types"),
        (["learner", "attributes"], {"a": "\0"}, "zero byte"),
        (["learner", "gradient_booster", "name"], "dart", "gbtree"),
        ([*MODEL, "tree_info"], [0, 1], "group"),
        ([*MODEL, "iteration_indptr"], [0, 1], "iterations"),
        ([*MODEL, "gbtree_model_param", "num_trees"], "3", "found num_trees 3; wanted 2"),
        ([*MODEL, "trees", 1, "tree_param", "num_deleted"], "1", "num_deleted"),
        ([*MODEL, "trees", 1, "split_indices"], np.zeros(2, np.int32), "split_indices of tree 1"),
        ([*MODEL, "trees", 1, "left_children"], "text", "no arrays"),
        ([*MODEL, "trees", 0, "categories"], np.zeros(1, np.int32), "by number only"),
    ],
)
def test_files_with_anything_else_inside_are_refused(
    path: list[str | int], value: object, words: str
) -> None:
    """A well-formed file that isn't a model of Glean's kind is refused by what is wrong with it."""
    with pytest.raises(ModelError, match=words):
        Forest.from_bytes(changed(path, value))


def places(content: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place inside a file's content, but only the first of like trees and numbers."""
    if isinstance(content, dict):
        inner: Iterable[tuple[str | int, Any]] = content.items()
    elif isinstance(content, list):
        inner = enumerate(content[:1])
    else:
        inner = ()
    deeper = [place for key, value in inner for place in places(value, (*path, key))]
    return [*([path] if path else []), *deeper]


@pytest.mark.parametrize(
    "odd",
    [3, "x", "", [], [3], ["x"], {}, {"name": 3}]
    + [np.zeros(size, kind) for size in (0, 1, 2) for kind in (np.float32, np.int32, np.uint8)]
    + [[np.zeros(2, np.int32)], {"name": np.zeros(2, np.float32)}],
    ids=str,
)
def test_a_value_of_another_type_is_refused_wherever_it_stands(odd: object) -> None:
    """Wherever it stands, an odd value is a ModelError, or a name, or changes no tree."""
    sound = Forest.from_bytes(trained(steps=2))
    for place in places(ubj.read(sound.to_bytes())):
        with suppress(ModelError):
            forest = Forest.from_bytes(changed(list(place), odd))
            kept = replace(forest, attributes=sound.attributes, feature_names=sound.feature_names)
            assert kept.to_bytes() == sound.to_bytes(), place


def test_other_columns_than_wanted_are_refused() -> None:
    """The columns that a model must have can be said when it is read."""
    with pytest.raises(ModelError, match="wanted other"):
        Forest.from_bytes(trained(), feature_names=["other"])
    bare = replace(random_forest(1), attributes={})
    with pytest.raises(ModelError, match="no feature definition"):
        _ = bare.definition


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Damage a file in one of the ways that have crashed XGBoost."""
    place = chance.randrange(len(data))
    match chance.randrange(5):
        case 0:
            flipped = bytes([data[place] ^ 1 << chance.randrange(8)])
            return data[:place] + flipped + data[place + 1 :]
        case 1:
            return data[:place]
        case 2:
            sizes = [at + 2 for at in range(len(data) - 10) if data[at : at + 2] == b"#L"]
            one, two = chance.choice(sizes), chance.choice(sizes)
            sized = data[:one] + data[two : two + 8] + data[one + 8 :]
            return sized[:two] + data[one : one + 8] + sized[two + 8 :]
        case 3:
            start = data.index(b"split_conditions[$d#L", place % (len(data) // 2)) + 29
            leaf = start + 4 * chance.randrange(7)
            odd = chance.choice([b"\x7f\xc0\0\0", b"\x7f\x80\0\0", b"\xff\xff\xff\xff"])
            return data[:leaf] + odd + data[leaf + 4 :]
        case _:
            noise = chance.randbytes(chance.randrange(1, 9))
            return data[:place] + noise + data[place + len(noise) :]


def test_no_damaged_file_crashes_xgboost() -> None:
    """Of 500 damaged files each is refused or read as a forest that XGBoost runs to the end."""
    chance = random.Random(7)  # noqa: S311 - damage, no secret
    originals = [trained(steps=3), trained(steps=2, max_depth=2)]
    rows = xgboost.DMatrix(random_matrix(20).x, feature_names=NAMES, nthread=1)
    refused = survived = 0
    for number in range(500):
        try:
            forest = Forest.from_bytes(mutated(originals[number % 2], chance), feature_names=NAMES)
        except ModelError:
            refused += 1
            continue
        forecast = loaded(forest.to_bytes()).predict(rows)
        assert np.isfinite(forecast).all()
        assert loaded(forest.to_bytes()).trees_to_dataframe()["Tree"].nunique() == forest.tree_count
        survived += 1
    assert refused > 200
    assert survived > 20
