"""Model files: read strictly, harmless to XGBoost whatever was sent."""

from __future__ import annotations

import random
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xgboost

from glean.errors import ModelError
from glean.learning import ubj
from glean.learning.forest import Forest
from tests.learning.xgboost_models import NAMES, changed, loaded, trained_model
from tests.matrices import random_forest, random_matrix

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
    sound = Forest.from_bytes(trained_model(steps=2))
    for place in places(ubj.read(sound.to_bytes())):
        with suppress(ModelError):
            forest = Forest.from_bytes(changed(list(place), odd))
            kept = replace(forest, attributes=sound.attributes, feature_names=sound.feature_names)
            assert kept.to_bytes() == sound.to_bytes(), place


def test_other_columns_than_wanted_are_refused() -> None:
    """The columns that a model must have can be said when it is read."""
    with pytest.raises(ModelError, match="wanted other"):
        Forest.from_bytes(trained_model(), feature_names=["other"])
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
    originals = [trained_model(steps=3), trained_model(steps=2, max_depth=2)]
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
