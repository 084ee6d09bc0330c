"""What do thresholds, covers and leaf values of trees tell? Flower's stock bagging beside Glean's.

In the manner of TimberStrike (2025). Stock trees are those that each of five synthetic bakeries
sends in the first round of FedXgbBagging: of Flower's own example (depth 8, no least weight) and
of Glean's settings. Of Glean, the trees of the first round, with sums and with noise.

*thresholds*: splits at a number that stands in the bakery's own table. *product-days*: level and
units within 5% for a row of the leaf, taking each leaf for a single row; to an attacker that knows
the bakery's mean level. A stock leaf's cover is its rows' weight, its value the mean residual; in
Glean there is no cover, and the level is taken for the mean. "by chance": the same trees
against five bakeries that took no part. Run `python -m benchmarks.tree_leaks`; a minute.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xgboost
from numpy.typing import NDArray

from benchmarks.stock_bakery import DEFINITION, StockBakery, stock_bakery
from glean.audit.bakery_truth import BakeryTruth, open_bakery
from glean.audit.claims import recovered_by_leaf
from glean.audit.evidence import whole_run
from glean.client_app import app as glean_app
from glean.learning.learning_rates import learning_rate_of
from glean.learning.tree import Tree
from glean.settings import ConfigValue, RunSettings

BAKERIES = 5
EXAMPLE: Mapping[str, Any] = {
    "max_depth": 8, "min_child_weight": 1, "subsample": 1.0, "colsample_bytree": 1.0,
    "learning_rate": 0.1, "max_bin": 256,
}  # fmt: skip
"""What Flower's XGBoost example trains with."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Told:
    """What trees told of one bakery, or of one that took no part.

    Parameters
    ----------
    splits, own : int
        Splits, and those at a number of the bakery's table.
    rows, recovered : int
        Product-days, and those recovered.
    """

    splits: int = 0
    own: int = 0
    rows: int = 0
    recovered: int = 0

    def __add__(self, other: Told) -> Told:
        return Told(
            self.splits + other.splits,
            self.own + other.own,
            self.rows + other.rows,
            self.recovered + other.recovered,
        )


def told_by_stock(bakery: StockBakery, truth: BakeryTruth, mean_level: float) -> Told:
    """Read the first tree that a bakery sends, against the rows of this bakery or of another."""
    raw = bakery.grow(b"")
    booster = xgboost.Booster(model_file=bytearray(raw))
    tree = json.loads(raw)["learner"]["gradient_booster"]["model"]["trees"][0]
    left, split = np.array(tree["left_children"]), np.array(tree["split_conditions"], np.float32)
    leaf = left < 0
    cover = np.array(tree["sum_hessian"])
    given: dict[str, Any] = bakery.parameters
    per_cover = 1.0 / given["learning_rate"]
    lost = given["reg_lambda"] / given["learning_rate"]
    residual = split.astype(np.float64) * (per_cover * cover + lost)
    levels = np.where(leaf, cover * mean_level, np.nan)
    units = levels + np.where(leaf, residual * mean_level, np.nan)
    names = list(DEFINITION.names)
    matrix = xgboost.DMatrix(truth.training.x, feature_names=names, nthread=1)
    reached = booster.predict(matrix, pred_leaf=True).ravel().astype(np.int64)
    columns = np.array(tree["split_indices"])
    return Told(
        int((~leaf).sum()),
        _own(truth, columns[~leaf], split[~leaf]),
        len(truth),
        int(recovered_by_leaf(levels, units, reached, truth).sum()),
    )


def told_by_glean(
    trees: tuple[Tree, ...], truth: BakeryTruth, mean_level: float, rate: float
) -> Told:
    """Read the first round's trees of a Glean model, against the rows of a bakery."""
    found = Told()
    recovered = np.zeros(len(truth), dtype=np.bool_)
    for tree in trees:
        leaf = tree.left < 0
        levels = np.full(int(leaf.sum()), mean_level)
        units = levels * (1.0 + tree.value[leaf] * len(trees) / rate)
        recovered |= recovered_by_leaf(levels, units, truth.leaves([tree])[0], truth)
        own = _own(truth, tree.split_feature[~leaf], tree.value[~leaf])
        found += Told(splits=int((~leaf).sum()), own=own)
    return found + Told(rows=len(truth), recovered=int(recovered.sum()))


def _own(truth: BakeryTruth, columns: NDArray[Any], thresholds: NDArray[np.float32]) -> int:
    """Count splits at a number that stands in a bakery's table."""
    x = truth.training.x
    pairs = zip(columns.tolist(), thresholds.tolist(), strict=True)
    return sum(bool((x[:, column] == np.float32(at)).any()) for column, at in pairs)


def measure() -> Iterator[dict[str, object]]:
    """Give a row a kind of tree."""
    config: dict[str, ConfigValue] = {"baselines": False}
    settings = RunSettings.from_config(config)
    spec = DEFINITION.to_json()
    truths = [
        open_bakery(k, settings, spec, newcomer=False, name=str(k)) for k in range(2 * BAKERIES)
    ]
    means = [float(truth.level.mean()) for truth in truths]
    for kind, changes in (("stock, Flower's example", EXAMPLE), ("stock, Glean's settings", {})):
        there, not_there = Told(), Told()
        for k in range(BAKERIES):
            bakery = stock_bakery(k, settings)
            bakery.parameters |= changes
            there += told_by_stock(bakery, truths[k], means[k])
            not_there += told_by_stock(bakery, truths[k + BAKERIES], means[k])
        yield _row(kind, there, not_there)
    for kind, own in (("Glean, sums", {}), ("Glean, noise", {"privacy": "noise"})):
        run = RunSettings.from_config(config | own)
        member = whole_run(run, BAKERIES, glean_app, newcomers=()).member
        trees = member.models[2].trees[len(member.models[1].trees) :]
        rate = learning_rate_of(run.rounds)
        told = [told_by_glean(trees, t, m, rate) for t, m in zip(truths, means, strict=True)]
        yield _row(kind, sum(told[:BAKERIES], Told()), sum(told[BAKERIES:], Told()))


def _row(kind: str, there: Told, not_there: Told) -> dict[str, object]:
    return {
        "trees": kind,
        "splits": there.splits,
        "thresholds": there.own / there.splits,
        "by chance": not_there.own / not_there.splits,
        "product-days": f"{there.recovered} of {there.rows}",
        "by chance ": f"{not_there.recovered} of {not_there.rows}",
    }


def main() -> int:
    """Print a table."""
    print(pd.DataFrame(measure()).to_string(index=False, float_format="{:.3f}".format))
    return 0


if __name__ == "__main__":
    sys.exit(main())
