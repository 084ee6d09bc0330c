"""How long merging a round of bagging takes: 100 one-tree replies into a model of 2,000 trees.

From bytes in to bytes out, Glean's checks included, beside Flower's stock `aggregate_bagging` on
the same trees in the JSON that it wants. Run `python -m benchmarks.merge`; Flower's part takes most
of a minute, `--without-flower` leaves it out.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Sequence

import numpy as np
import xgboost
from flwr.serverapp.strategy.strategy_utils import aggregate_bagging

from glean.aggregation.bagging import merge
from glean.aggregation.update import Update, read_tree_update
from glean.features.definition import FeatureDefinition
from glean.learning.forest import Forest
from glean.learning.tree import Tree

MODEL_TREES = 2_000
REPLIES = 100
DEPTH = 6
REPEATS = 5
LIMIT_S = 0.5
OBJECTIVE = "reg:squarederror"
DEFINITION = FeatureDefinition(horizon_days=1, season=True)


def random_forest(trees: int, *, seed: int) -> Forest:
    """Make a model of full trees of 127 nodes with random splits and leaves."""
    rng = np.random.default_rng(seed)
    empty = Forest.empty(DEFINITION, objective=OBJECTIVE)
    return empty.plus([_random_tree(rng) for _ in range(trees)])


def _random_tree(rng: np.random.Generator) -> Tree:
    nodes = np.arange(2 ** (DEPTH + 1) - 1, dtype=np.int32)
    inner = nodes < 2**DEPTH - 1
    columns = rng.integers(0, len(DEFINITION.names), nodes.size)
    return Tree(
        left=np.where(inner, 2 * nodes + 1, -1).astype(np.int32),
        right=np.where(inner, 2 * nodes + 2, -1).astype(np.int32),
        split_feature=np.where(inner, columns, 0).astype(np.int32),
        value=rng.normal(0.0, 0.1, nodes.size).astype(np.float32),
        default_left=np.where(inner, rng.integers(0, 2, nodes.size), 0).astype(np.uint8),
    )


def glean_merge(model: bytes, replies: Sequence[bytes]) -> bytes:
    """Merge as the server does: read the model, check every reply, merge, write."""
    identity = DEFINITION.identity
    updates = [
        Update(
            f"bakery {number:03}",
            1.0,
            read_tree_update(reply, definition_identity=identity, objective=OBJECTIVE, trees=1),
        )
        for number, reply in enumerate(replies)
    ]
    return merge(Forest.from_bytes(model), updates)[0].to_bytes()


def flower_merge(model: bytes, replies: Sequence[bytes]) -> bytes:
    """Merge as Flower's FedXgbBagging does, reply by reply, on JSON."""
    for reply in replies:
        model = aggregate_bagging(model, reply)
    return model


def as_json(model: bytes) -> bytes:
    """Write the same model in the JSON of XGBoost."""
    booster = xgboost.Booster()
    booster.load_model(bytearray(model))
    return bytes(booster.save_raw("json"))


def main() -> int:
    """Print both times; 1 when Glean's is above the limit."""
    model = random_forest(MODEL_TREES, seed=0).to_bytes()
    replies = [random_forest(1, seed=seed).to_bytes() for seed in range(1, REPLIES + 1)]
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        merged = glean_merge(model, replies)
        seconds.append(time.perf_counter() - start)
    count = Forest.from_bytes(merged).tree_count
    median = statistics.median(seconds)
    print(f"{REPLIES} one-tree replies into {MODEL_TREES} trees of {2 ** (DEPTH + 1) - 1} nodes")
    print(
        f"Glean:  {median:6.2f} s (median of {REPEATS}, {min(seconds):.2f} to {max(seconds):.2f}; "
        f"wanted under {LIMIT_S} s), {count} trees, {len(merged) / 1e6:.1f} MB"
    )
    if "--without-flower" not in sys.argv:
        inputs = as_json(model), [as_json(reply) for reply in replies]
        start = time.perf_counter()
        stock = flower_merge(*inputs)
        taken = time.perf_counter() - start
        print(
            f"Flower: {taken:6.2f} s (aggregate_bagging, once), {len(stock) / 1e6:.1f} MB of JSON: "
            f"{taken / median:.0f} times as long"
        )
    return int(median > LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
