"""The server's step: who trains, what is let in, what comes out."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import pytest

from glean.errors import ModelError
from glean.features.definition import FeatureDefinition
from glean.federation.coordination.global_model import TreeModel, WeightModel
from glean.federation.coordination.reply_checks import Aggregator
from glean.federation.wire.messages import TrainReply
from glean.learning.bin_layout import BinLayout
from glean.learning.forest import Forest
from glean.learning.structure import on_public_edges
from glean.settings import ConfigValue, RunSettings
from tests.matrices import DEFINITION, random_forest

NAMES = [f"bakery {k}" for k in range(10)]


def aggregator(**config: ConfigValue) -> Aggregator:
    named = {key.replace("_", "-"): value for key, value in config.items()}
    return Aggregator(RunSettings.from_config(named), DEFINITION)


def edged_forest(trees: int, *, seed: int = 0) -> Forest:
    """Random trees that split where trees may."""
    return on_public_edges(random_forest(trees, seed=seed), BinLayout(DEFINITION, 32))


def contribution(
    model: bytes, *, weight: float = 2.0, bakery: str = "north", device: str = "cpu"
) -> TrainReply:
    return TrainReply(
        bakery=bakery,
        code="",
        definition=DEFINITION.identity,
        lacks_model=False,
        weight=weight,
        device=device,
        model=model,
    )


@pytest.mark.parametrize("aggregation", ["bagging", "cyclic"])
def test_the_first_model_forecasts_the_level(aggregation: str) -> None:
    """No trees yet, the agreed features and loss inside."""
    model = aggregator(aggregation=aggregation, objective="count:poisson").first_model()
    assert isinstance(model, TreeModel)
    assert (model.forest.tree_count, model.forest.objective) == (0, "count:poisson")
    assert model.forest.definition == DEFINITION


@pytest.mark.parametrize("kind", ["neural", "poisson"])
def test_the_first_weights_go_by_the_seed(kind: str) -> None:
    """The same seed gives the same bytes; another one other weights where they are drawn."""
    one, again, other = (
        aggregator(aggregation="fedavg", fedavg_model=kind, seed=seed).first_model()
        for seed in (1, 1, 2)
    )
    assert isinstance(one, WeightModel)
    assert one.weights.kind == kind
    assert one.to_bytes() == again.to_bytes()
    assert (one.to_bytes() == other.to_bytes()) == (kind == "poisson")


@pytest.mark.parametrize("aggregation", ["bagging", "fedavg"])
def test_all_train_unless_a_share_is_asked_for(aggregation: str) -> None:
    """By name, whatever the order; a share is drawn anew in every round, the same every time."""
    everyone = aggregator(aggregation=aggregation)
    assert everyone.trainers(NAMES[::-1], 1) == tuple(NAMES)
    some = aggregator(aggregation=aggregation, fraction_train=0.3)
    drawn = [some.trainers(NAMES, number) for number in range(1, 21)]
    assert {len(names) for names in drawn} == {3}
    assert len(set(drawn)) > 10
    assert [some.trainers(NAMES[::-1], number) for number in range(1, 21)] == drawn


def test_cyclic_takes_turns() -> None:
    """In ten rounds each of ten trains once, in text order; `fraction-train` plays no part."""
    turns = aggregator(aggregation="cyclic", fraction_train=0.5)
    order = [turns.trainers(NAMES[::-1], number) for number in range(1, 11)]
    assert order == [(name,) for name in NAMES]
    assert turns.trainers(NAMES, 11) == (NAMES[0],)


@pytest.mark.parametrize("weight", [0.0, -1.0, math.nan, math.inf, 1e300])
def test_an_impossible_weight_is_refused(weight: float) -> None:
    """A share must be computable from it."""
    trees = edged_forest(1).to_bytes()
    asked = aggregator()
    with pytest.raises(ModelError, match=r"found weight .*; wanted one above 0, up to 1e\+15"):
        asked.accept(contribution(trees, weight=weight))


def test_trees_grown_on_the_cpu_are_refused_where_a_gpu_was_asked_for() -> None:
    """Also where only the server's environment asked for one."""
    with pytest.raises(ModelError, match="found trees grown on the CPU; wanted a GPU"):
        aggregator(device="gpu").accept(contribution(b""))


@pytest.mark.parametrize("device", ["", "gpu", "cuda:", "cpu\n", "<b>cpu</b>"])
def test_an_unknown_device_is_refused(device: str) -> None:
    """The word goes into run.json and the report: only XGBoost's own are let in."""
    with pytest.raises(ModelError, match="wanted cpu or like cuda:0"):
        aggregator().accept(contribution(b"", device=device))


def test_the_largest_weights_that_are_let_in_can_be_merged() -> None:
    """Several bakeries with the largest weight get equal shares."""
    asked = aggregator()
    model = asked.first_model()
    updates = [
        asked.accept(contribution(edged_forest(1, seed=k).to_bytes(), weight=1e15, bakery=f"b{k}"))
        for k in range(4)
    ]
    merged = asked.merge(model, updates)
    assert isinstance(merged, TreeModel)
    expected = edged_forest(1, seed=0).scaled(0.25).trees[0].value
    assert merged.forest.trees[0].value.tobytes() == expected.tobytes()


def test_other_features_are_refused_before_the_trees_are_read() -> None:
    """The identity that a bakery claims is compared first, and both stand in the message."""
    asked = aggregator()
    claimed = replace(contribution(b"anything"), definition="f" * 64)
    with pytest.raises(
        ModelError, match=f"found features ffffffffffff; wanted {DEFINITION.identity[:12]}"
    ):
        asked.accept(claimed)


def test_features_are_read_from_the_trees_and_not_only_claimed() -> None:
    """A false claim doesn't let trees on other columns in."""
    asked = aggregator()
    other = FeatureDefinition(horizon_days=2, season=False)
    trees = Forest.empty(other, objective="reg:squarederror").plus(edged_forest(1).trees)
    with pytest.raises(ModelError, match=f"found feature definition {other.identity[:12]}"):
        asked.accept(contribution(trees.to_bytes()))


@pytest.mark.parametrize(("sent", "fits"), [(5, False), (6, True), (7, False)])
def test_the_number_of_trees_is_the_one_asked_for(sent: int, fits: bool) -> None:
    """Three steps of two parallel trees are six trees, no more and no fewer."""
    asked = aggregator(trees_per_round=3, num_parallel_tree=2)
    reply = contribution(edged_forest(sent).to_bytes())
    if fits:
        content = asked.accept(reply).content
        assert isinstance(content, Forest)
        assert content.tree_count == 6
    else:
        with pytest.raises(ModelError, match=f"found {sent} new trees; wanted 6"):
            asked.accept(reply)


def test_trees_off_the_public_edges_are_refused() -> None:
    """The others couldn't follow them on their bins."""
    with pytest.raises(ModelError, match="wanted one of the public edges of 32 bins"):
        aggregator().accept(contribution(random_forest(1).to_bytes()))


def test_another_loss_is_refused() -> None:
    """Leaves of another objective mean something else."""
    asked = aggregator(objective="count:poisson")
    with pytest.raises(ModelError, match="found objective 'reg:squarederror'"):
        asked.accept(contribution(edged_forest(1).to_bytes()))


@pytest.mark.parametrize("aggregation", ["bagging", "cyclic"])
def test_every_tree_that_was_let_in_is_in_the_model_once(aggregation: str) -> None:
    """Bagging scales by the share, cyclic leaves trees as they are; none is lost or doubled."""
    asked = aggregator(aggregation=aggregation)
    model = asked.first_model()
    senders = ["a", "b", "c"] if aggregation == "bagging" else ["a"]
    sent = {name: edged_forest(1, seed=ord(name)) for name in senders}
    updates = [asked.accept(contribution(f.to_bytes(), bakery=n)) for n, f in sent.items()]
    merged = asked.merge(model, updates[::-1])
    assert isinstance(merged, TreeModel)
    factor = 1 / len(senders)
    wanted = Counter(forest.scaled(factor).trees[0].value.tobytes() for forest in sent.values())
    assert Counter(tree.value.tobytes() for tree in merged.forest.trees) == wanted
    assert list(merged.states) == [model.state, merged.state]
