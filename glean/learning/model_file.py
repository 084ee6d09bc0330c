"""XGBoost 3.2 model files: what has to stand in one, and nothing else.

Bytes become `ModelFile`, every part checked; `ModelFile` becomes bytes that XGBoost saves again
without changing one. Only what is needed to predict is taken over: a node's hessian sum and mean
would disclose how many rows a bakery has in it, so they are written as zeros.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np

from glean.errors import ModelError
from glean.learning import ubj
from glean.learning.tree import Nodes, Tree

BASE_SCORE = "[1E0]"
"""Prediction of a model without trees: the product's level, on the scale where that is 1."""

OBJECTIVES: dict[str, dict[str, Any]] = {
    "reg:squarederror": {"reg_loss_param": {"scale_pos_weight": "1"}},
    "reg:absoluteerror": {},
    "count:poisson": {"poisson_regression_param": {"max_delta_step": "0.699999988"}},
    "reg:tweedie": {"tweedie_regression_param": {"tweedie_variance_power": "1.5"}},
    "reg:quantileerror": {"quantile_loss_param": {"quantile_alpha": "[5E-1]"}},
}
"""Losses that Glean offers, with the parameters that XGBoost writes beside each by default."""

FORBIDDEN_IN_NAMES = "[]<\0"
"""XGBoost refuses a column name with one of these."""

_QUANTILE = re.compile(r"\[[0-9.]{1,12}(E-?[0-9])?\]")

_NO_WHOLE = np.empty(0, dtype=np.int32)
_NO_LONG = np.empty(0, dtype=np.int64)
_CATEGORIES: dict[str, Any] = {
    "categories": _NO_WHOLE,
    "categories_nodes": _NO_WHOLE,
    "categories_segments": _NO_LONG,
    "categories_sizes": _NO_LONG,
}
_FLOATS = ("base_weights", "loss_changes", "split_conditions", "sum_hessian")
_WHOLES = ("left_children", "parents", "right_children", "split_indices")
_BYTES = ("default_left", "split_type")
_TREE_KEYS = {*_CATEGORIES, *_FLOATS, *_WHOLES, *_BYTES, "id", "tree_param"}
_TYPES: dict[str, np.dtype[Any]] = {
    **dict.fromkeys(_FLOATS, np.dtype(">f4")),
    **dict.fromkeys(_WHOLES, np.dtype(">i4")),
    **dict.fromkeys(_BYTES, np.dtype("u1")),
}


@dataclass(frozen=True)
class ModelFile:
    """Content of a model file.

    Parameters
    ----------
    nodes : Nodes
        The trees, checked.
    objective : str
        One of `OBJECTIVES`.
    feature_names : tuple of str
        Columns in the order of the matrix.
    attributes : mapping of str to str
        What Glean adds; XGBoost carries it along.
    """

    nodes: Nodes
    objective: str
    feature_names: tuple[str, ...]
    attributes: Mapping[str, str]


def decode(data: bytes) -> ModelFile:
    """Read a model file of XGBoost 3.2 with one numerical target and numerical splits.

    Raises
    ------
    ModelError
        The bytes are damaged, or anything in them isn't what such a file holds.
    """
    root = _members(ubj.read(data), "the file", {"learner", "version"})
    version = _list(root["version"], "version")
    _expect(_same(version[:1], [3]), f"version {version}", "a file of XGBoost 3")
    keys = {"attributes", "feature_names", "feature_types", "gradient_booster"}
    learner = _members(root["learner"], "learner", keys | {"learner_model_param", "objective"})
    names = _names(learner["feature_names"])
    _expect_same(learner, "feature_types", [])
    _expect_same(learner, "learner_model_param", _learner_param(len(names)))
    booster = _members(learner["gradient_booster"], "gradient_booster", {"model", "name"})
    _expect_same(booster, "name", "gbtree")
    return ModelFile(
        nodes=Nodes.of(_trees(booster["model"], len(names))).checked(len(names)),
        objective=_objective(learner["objective"]),
        feature_names=names,
        attributes=_attributes(learner["attributes"]),
    )


def encode(model: ModelFile) -> bytes:
    """Write a model file; loading and saving it with XGBoost 3.2 gives the same bytes."""
    count = len(model.nodes.starts) - 1
    booster = {
        "cats": {"enc": [], "feature_segments": _NO_WHOLE, "sorted_idx": _NO_WHOLE},
        "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": str(count)},
        "iteration_indptr": range(count + 1),
        "tree_info": [0] * count,
        "trees": [ubj.Encoded(tree) for tree in _encoded_trees(model)],
    }
    learner = {
        "attributes": model.attributes,
        "feature_names": model.feature_names,
        "feature_types": [],
        "gradient_booster": {"model": booster, "name": "gbtree"},
        "learner_model_param": _learner_param(len(model.feature_names)),
        "objective": {"name": model.objective, **OBJECTIVES[model.objective]},
    }
    return ubj.write({"learner": learner, "version": [3, 2, 0]})


def _learner_param(columns: int) -> dict[str, str]:
    fixed = {"boost_from_average": "0", "num_class": "0", "num_target": "1"}
    return {"base_score": BASE_SCORE, "num_feature": str(columns), **fixed}


def _names(found: object) -> tuple[str, ...]:
    """Names of the columns: text, once each, with nothing that XGBoost refuses."""
    names = tuple(_list(found, "feature_names"))
    _expect(all(isinstance(name, str) for name in names), names, "text as names")
    _expect(len(set(names)) == len(names) > 0, names, "columns with a name each")
    _expect(not set(FORBIDDEN_IN_NAMES) & set("".join(names)), names, "names without [, ] or <")
    return names


def _attributes(found: object) -> dict[str, str]:
    _expect(isinstance(found, dict), found, "attributes")
    assert isinstance(found, dict)
    for name, value in found.items():
        fits = isinstance(value, str) and "\0" not in name + value
        _expect(fits, f"attribute {name!r}", "text without a zero byte")
    return found


def _objective(found: object) -> str:
    found = _without_quantile(found)
    for name, parameters in OBJECTIVES.items():
        if _same(found, {"name": name, **parameters}):
            return name
    raise ModelError(f"objective {found!r:.200}; wanted one of {', '.join(OBJECTIVES)} as it comes")


def _without_quantile(found: object) -> object:
    """Forget which quantile was aimed at: it plays no part in a forecast, and isn't written."""
    match found:
        case {"quantile_loss_param": {"quantile_alpha": str(text)}, **rest} if _QUANTILE.fullmatch(
            text
        ):
            return rest | OBJECTIVES["reg:quantileerror"]
    return found


def _trees(found: object, columns: int) -> list[Tree]:
    """Take the arrays of every tree; whether they are trees is for `Nodes.checked` to say."""
    keys = {"cats", "gbtree_model_param", "iteration_indptr", "tree_info", "trees"}
    model = _members(found, "model", keys)
    trees = _list(model["trees"], "trees")
    parameters = _members(
        model["gbtree_model_param"], "gbtree_model_param", {"num_parallel_tree", "num_trees"}
    )
    _expect_same(parameters, "num_trees", str(len(trees)))
    _expect(_same(model["tree_info"], [0] * len(trees)), "several groups of trees", "one")
    ends = _list(model["iteration_indptr"], "iteration_indptr")[-1:]
    _expect(_same(ends, [len(trees)]), f"iterations up to {ends}", f"up to {len(trees)}")
    return [_tree(tree, index, columns) for index, tree in enumerate(trees)]


def _tree(found: object, index: int, columns: int) -> Tree:
    tree = _members(found, "a tree", _TREE_KEYS)
    arrays = [tree[name] for name in ("left_children", *_CATEGORIES)]
    _expect(all(isinstance(array, np.ndarray) for array in arrays), "no arrays", "arrays in a tree")
    size = len(tree["left_children"])
    _expect_same(tree, "tree_param", _tree_param(size, columns))
    for name, kind in _TYPES.items():
        values = tree[name]
        if not (isinstance(values, np.ndarray) and values.dtype == kind and len(values) == size):
            raise ModelError(f"damaged model: {name} of tree {index} aren't {size} of type {kind}")
    numerical = not tree["split_type"].any() and not any(len(tree[c]) for c in _CATEGORIES)
    _expect(numerical, "splits by category", "splits by number only")
    return Tree(
        left=tree["left_children"],
        right=tree["right_children"],
        split_feature=tree["split_indices"],
        value=tree["split_conditions"],
        default_left=tree["default_left"],
    )


def _tree_param(size: int, columns: int) -> dict[str, str]:
    fixed = {"num_deleted": "0", "size_leaf_vector": "1"}
    return {"num_feature": str(columns), "num_nodes": str(size), **fixed}


def _encoded_trees(model: ModelFile) -> list[bytes]:
    """Write each tree; the arrays are turned to big-endian for all trees at once."""
    nodes = model.nodes
    columns = len(model.feature_names)
    directions = nodes.default_left.tobytes()
    left, parents, right, values, splits = (
        array.astype(array.dtype.newbyteorder(">")).tobytes()
        for array in (nodes.left, nodes.parents, nodes.right, nodes.value, nodes.split_feature)
    )
    trees = []
    for index, (start, stop) in enumerate(nodes.bounds):
        part = slice(4 * start, 4 * stop)
        # In the order of the keys: default_left, id, left_children, parents, ...
        varying = (
            directions[start:stop],
            ubj.write(index),
            left[part],
            parents[part],
            right[part],
            values[part],
            splits[part],
        )
        first, *rest = _constant_pieces(stop - start, columns)
        trees.append(b"".join((first, *chain.from_iterable(zip(varying, rest, strict=True)))))
    return trees


@lru_cache(maxsize=1024)
def _constant_pieces(size: int, columns: int) -> tuple[bytes, ...]:
    """Write a tree of `size` nodes but for what differs between such trees: the bytes between."""
    hole = b"\xffhole\xff"
    zeros = np.zeros(size, dtype=np.float32)
    constant = dict.fromkeys(("base_weights", "loss_changes", "sum_hessian"), zeros)
    heads = {
        name: ubj.write(np.zeros(size, _TYPES[name]))[: -size * _TYPES[name].itemsize]
        for name in ("default_left", "split_conditions", *_WHOLES)
    }
    tree = ubj.write(
        _CATEGORIES
        | constant
        | {name: ubj.Encoded(head + hole) for name, head in heads.items()}
        | {"id": ubj.Encoded(hole), "split_type": np.zeros(size, dtype=np.uint8)}
        | {"tree_param": _tree_param(size, columns)}
    )
    return tuple(tree.split(hole))


def _members(found: object, where: str, keys: set[str]) -> dict[str, Any]:
    if not isinstance(found, dict) or found.keys() != keys:
        held = ", ".join(found) if isinstance(found, dict) else repr(found)
        raise ModelError(
            f"damaged model: {where} holds {held:.200}; wanted {', '.join(sorted(keys))}"
        )
    return found


def _list(found: object, name: str) -> list[Any]:
    if not isinstance(found, list):
        raise ModelError(f"damaged model: found {name} {found!r:.200}; wanted a list")
    return found


def _same(found: Any, wanted: Any) -> bool:
    """Compare part by part: == is no yes or no where an array stands in place of text."""
    if type(found) is not type(wanted):
        return False
    if isinstance(found, dict):
        return found.keys() == wanted.keys() and all(_same(found[k], wanted[k]) for k in wanted)
    if isinstance(found, list):
        return len(found) == len(wanted) and all(map(_same, found, wanted))
    return bool(found == wanted)


def _expect_same(members: Mapping[str, Any], name: str, wanted: object) -> None:
    if not _same(members[name], wanted):
        raise ModelError(
            f"damaged model: found {name} {members[name]!s:.200}; wanted {wanted!s:.200}"
        )


def _expect(fits: bool, found: object, wanted: object) -> None:
    if not fits:
        raise ModelError(f"damaged model: found {found!s:.200}; wanted {wanted}")
