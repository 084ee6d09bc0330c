"""The name of a model's state: a digest of all its trees or weights, which both sides work out.

A server can't call two models by one name: a bakery checks that what it was sent, put behind what
it holds, is what the task names.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache

import numpy as np

from glean.errors import ModelError
from glean.federation.wire.messages import Task
from glean.learning.forest import Forest
from glean.learning.tree import Tree

_ARRAYS = (
    *(("left", np.int32), ("right", np.int32), ("split_feature", np.int32)),
    *(("value", np.float32), ("default_left", np.uint8)),
)


def trees_state(base: str, forest: Forest) -> str:
    """Name a model of trees.

    Parameters
    ----------
    base : str
        Name of the state that the trees come after; "" where they are all.
    forest : Forest
        The trees.

    Returns
    -------
    str
        Hex; the same whether the trees came one after the other or all at once.
    """
    name = base
    if not base:
        head = [forest.objective, forest.feature_names, dict(forest.attributes)]
        name = hashlib.sha256(json.dumps(head, sort_keys=True).encode()).hexdigest()
    for tree in forest.trees:
        name = hashlib.sha256(name.encode() + _tree_bytes(tree)).hexdigest()
    return name


def weights_state(content: bytes) -> str:
    """Name a file of weights, which always comes whole."""
    return hashlib.sha256(content).hexdigest()


def check_state(task: Task, *, model: str) -> None:
    """Check that the model that a task brings is the one that it names.

    Parameters
    ----------
    task : Task
        Its `model` continues `base` and makes `state`.
    model : str
        "trees" or "weights".

    Raises
    ------
    ModelError
        It is another one, or can't be read.
    """
    if not task.model:
        return
    whole = model == "weights"
    found = weights_state(task.model) if whole else _tail_state(task.base, task.model)
    if found != task.state:
        raise ModelError(
            f"the model that came makes state {found[:12]}; wanted {task.state[:12]!r}, as the "
            "task names it. Nothing is learned from it"
        )


@lru_cache(maxsize=8)
def _tail_state(base: str, content: bytes) -> str:
    """Name what most bakeries of one process get, once."""
    return trees_state(base, Forest.from_bytes(content))


def _tree_bytes(tree: Tree) -> bytes:
    parts = [getattr(tree, name).astype(kind).tobytes() for name, kind in _ARRAYS]
    return len(tree).to_bytes(4, "big") + b"".join(parts)
