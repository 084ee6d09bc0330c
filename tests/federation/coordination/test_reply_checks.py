"""What a bakery sends is taken only if it can be trusted and fits the run."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from glean.aggregation import bagging
from glean.errors import ModelError
from glean.features.definition import FeatureDefinition
from glean.federation.coordination.reply_checks import TreeChecks
from glean.federation.wire.messages import TrainReply
from glean.learning.bin_layout import BinLayout
from glean.learning.forest import Forest
from glean.learning.structure import on_public_edges
from glean.settings import ConfigValue, RunSettings
from tests.matrices import DEFINITION, random_forest


def checks_of(**config: ConfigValue) -> TreeChecks:
    named = {key.replace("_", "-"): value for key, value in config.items()}
    settings = RunSettings.from_config(named)
    layout = BinLayout(DEFINITION, settings.boosting.bins)
    return TreeChecks(settings, DEFINITION.to_json(), layout)


def edged_forest(trees: int, *, seed: int = 0) -> Forest:
    """Random trees that split where trees may."""
    return on_public_edges(random_forest(trees, seed=seed), BinLayout(DEFINITION, 32))


def reply_of(
    model: bytes, *, weight: float = 2.0, bakery: str = "north", device: str = "cpu"
) -> TrainReply:
    return TrainReply(
        bakery=bakery,
        code="",
        spec=DEFINITION.identity,
        lacks_model=False,
        weight=weight,
        device=device,
        model=model,
    )


@pytest.mark.parametrize("weight", [0.0, -1.0, math.nan, math.inf, 1e300])
def test_an_impossible_weight_is_refused(weight: float) -> None:
    """A share must be computable from it."""
    trees = edged_forest(1).to_bytes()
    checks = checks_of()
    with pytest.raises(ModelError, match=r"found weight .*; wanted one above 0, up to 1e\+15"):
        checks.update_of(reply_of(trees, weight=weight))


def test_trees_grown_on_the_cpu_are_refused_where_a_gpu_was_asked_for() -> None:
    """Also where only the server's environment asked for one."""
    with pytest.raises(ModelError, match="found trees grown on the CPU; wanted a GPU"):
        checks_of(device="gpu").update_of(reply_of(b""))


@pytest.mark.parametrize("device", ["", "gpu", "cuda:", "cpu\n", "<b>cpu</b>"])
def test_an_unknown_device_is_refused(device: str) -> None:
    """The word goes into run.json and the report: only XGBoost's own are let in."""
    with pytest.raises(ModelError, match="wanted cpu or like cuda:0"):
        checks_of().update_of(reply_of(b"", device=device))


def test_the_largest_weights_that_are_let_in_can_be_merged() -> None:
    """Several bakeries with the largest weight get equal shares."""
    checks = checks_of()
    updates = [
        checks.update_of(reply_of(edged_forest(1, seed=k).to_bytes(), weight=1e15, bakery=f"b{k}"))
        for k in range(4)
    ]
    merged, _ = bagging.merge(Forest.empty(DEFINITION, objective="reg:squarederror"), updates)
    expected = edged_forest(1, seed=0).scaled(0.25).trees[0].value
    assert merged.trees[0].value.tobytes() == expected.tobytes()


def test_other_features_are_refused_before_the_trees_are_read() -> None:
    """The identity that a bakery claims is compared first, and both stand in the message."""
    checks = checks_of()
    claimed = replace(reply_of(b"anything"), spec="f" * 64)
    with pytest.raises(
        ModelError, match=f"found features ffffffffffff; wanted {DEFINITION.identity[:12]}"
    ):
        checks.update_of(claimed)


def test_features_are_read_from_the_trees_and_not_only_claimed() -> None:
    """A false claim doesn't let trees on other columns in."""
    checks = checks_of()
    other = FeatureDefinition(horizon_days=2, season=False)
    trees = Forest.empty(other, objective="reg:squarederror").plus(edged_forest(1).trees)
    with pytest.raises(ModelError, match=f"found feature definition {other.identity[:12]}"):
        checks.update_of(reply_of(trees.to_bytes()))


@pytest.mark.parametrize(("sent", "fits"), [(5, False), (6, True), (7, False)])
def test_the_number_of_trees_is_the_one_asked_for(sent: int, fits: bool) -> None:
    """Three steps of two parallel trees are six trees, no more and no fewer."""
    checks = checks_of(trees_per_round=3, num_parallel_tree=2)
    reply = reply_of(edged_forest(sent).to_bytes())
    if fits:
        content = checks.update_of(reply).content
        assert isinstance(content, Forest)
        assert content.tree_count == 6
    else:
        with pytest.raises(ModelError, match=f"found {sent} new trees; wanted 6"):
            checks.update_of(reply)


def test_trees_off_the_public_edges_are_refused() -> None:
    """The others couldn't follow them on their bins."""
    with pytest.raises(ModelError, match="wanted one of the public edges of 32 bins"):
        checks_of().update_of(reply_of(random_forest(1).to_bytes()))


def test_another_loss_is_refused() -> None:
    """Leaves of another objective mean something else."""
    checks = checks_of(objective="count:poisson")
    with pytest.raises(ModelError, match="found objective 'reg:squarederror'"):
        checks.update_of(reply_of(edged_forest(1).to_bytes()))
