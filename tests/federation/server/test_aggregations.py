"""Every row of the table of aggregations: its first model, who trains, what comes out."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import glean
from glean import aggregation_kinds
from glean.aggregation.update import Update
from glean.aggregation_kinds import KINDS, AggregationKind
from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.global_model import TreeModel, WeightModel
from glean.federation.coordination.sum_rounds import SumRounds
from glean.federation.server.cyclic import CyclicStrategy
from glean.federation.server.strategy import Strategy, strategy_of
from glean.federation.server.tree_merging import TreeMergingStrategy
from glean.federation.wire.messages import ClientInfo
from glean.settings import ConfigValue, RunSettings
from tests.matrices import DEFINITION, random_forest

NAMES = [f"bakery {k}" for k in range(10)]
PACKAGE = Path(glean.__file__).parent


def manager_of(**config: ConfigValue) -> ClientManager:
    """Ten bakeries that are there and can be learned from."""
    named = {key.replace("_", "-"): value for key, value in config.items()}
    folder = SimpleNamespace(path=Path("no such folder"))
    clients: Any = SimpleNamespace(present=frozenset(NAMES), folder=folder)
    infos = {
        name: ClientInfo(
            bakery=name,
            code="",
            partition=0,
            trains=True,
            own_table=False,
            note="",
        )
        for name in NAMES[::-1]
    }
    return ClientManager(
        clients,
        RunSettings.from_config(named),
        DEFINITION.to_json(),
        learning_rate=0.1,
        infos=infos,
        newcomers=(),
    )


def strategy(**config: ConfigValue) -> Strategy:
    manager = manager_of(**config)
    return strategy_of(manager, SumRounds(manager))


def config_of(kind: AggregationKind) -> dict[str, ConfigValue]:
    leaf_values = {"leaf_values": kind.leaf_values} if kind.leaf_values else {}
    return {"aggregation": kind.name, **leaf_values}


@pytest.mark.parametrize(
    "kind",
    [k for k in KINDS if not k.proximal],  # which the demand refuses; `tests/images` has runs of it
    ids=lambda kind: f"{kind.name} {kind.leaf_values}",
)
def test_every_row_leads_to_its_strategy(kind: AggregationKind) -> None:
    """The class that the row names is made; its first model is of the kind that the row says."""
    made = strategy(**config_of(kind))
    assert f"{type(made).__module__}:{type(made).__name__}" == kind.strategy
    first = made.first_model()
    assert isinstance(first, WeightModel if kind.averages_weights else TreeModel)
    assert first.suffix == kind.suffix
    if not kind.has_state:  # who has one may have to ask for it
        assert not made.init(first)


@pytest.mark.parametrize(
    "kind",
    [k for k in KINDS if not k.averages_weights and not k.squared_error_only],
    ids=lambda kind: f"{kind.name} {kind.leaf_values}",
)
def test_the_first_trees_forecast_the_level(kind: AggregationKind) -> None:
    """No trees yet, the agreed features and loss inside."""
    model = strategy(**config_of(kind), objective="count:poisson").first_model()
    assert isinstance(model, TreeModel)
    assert (model.forest.tree_count, model.forest.objective) == (0, "count:poisson")
    assert model.forest.definition == DEFINITION


@pytest.mark.parametrize("kind", ["neural", "poisson"])
def test_the_first_weights_go_by_the_seed(kind: str) -> None:
    """The same seed gives the same bytes; another one other weights where they are drawn."""
    one, again, other = (
        strategy(aggregation="fedavg", fedavg_model=kind, seed=seed).first_model()
        for seed in (1, 1, 2)
    )
    assert isinstance(one, WeightModel)
    assert one.weights.kind == kind
    assert one.to_bytes() == again.to_bytes()
    assert (one.to_bytes() == other.to_bytes()) == (kind == "poisson")


def test_all_train_unless_a_share_is_asked_for() -> None:
    """By name, whatever the order; a share is drawn anew in every round, the same every time."""
    assert manager_of().sample_trainers(1) == tuple(NAMES)
    some = manager_of(fraction_train=0.3)
    sampled = [some.sample_trainers(number) for number in range(1, 21)]
    assert {len(names) for names in sampled} == {3}
    assert len(set(sampled)) > 10
    assert [some.sample_trainers(number) for number in range(1, 21)] == sampled


def test_who_had_its_turn_in_vain_is_not_drawn_again() -> None:
    """The share is one of those who are left; of nobody nobody is drawn."""
    some = manager_of(fraction_train=0.5)
    sampled = some.sample_trainers(1, without=frozenset(NAMES[:6]))
    assert len(sampled) == 2
    assert {*sampled} <= {*NAMES[6:]}
    assert some.sample_trainers(1, without=frozenset(NAMES)) == ()


def test_cyclic_takes_turns() -> None:
    """In ten rounds each of ten trains once, in text order; `fraction-train` plays no part."""
    turns = strategy(aggregation="cyclic", fraction_train=0.5)
    assert isinstance(turns, CyclicStrategy)
    order = [turns._trainers(number, frozenset()) for number in range(1, 11)]
    assert order == [(name,) for name in NAMES]
    assert turns._trainers(11, frozenset()) == (NAMES[0],)


@pytest.mark.parametrize("aggregation", ["bagging", "cyclic"])
def test_every_tree_that_was_let_in_is_in_the_model_once(aggregation: str) -> None:
    """Bagging scales by the share, cyclic leaves trees as they are; none is lost or doubled."""
    merging = strategy(aggregation=aggregation, leaf_values="scaled")
    assert isinstance(merging, TreeMergingStrategy)
    senders = ["a", "b", "c"] if aggregation == "bagging" else ["a"]
    sent = {name: random_forest(1, seed=ord(name)) for name in senders}
    updates = [Update(name, 2.0, forest) for name, forest in sent.items()]
    merged = merging._merged(merging.first_model().forest, updates[::-1])
    factor = 1 / len(senders)
    wanted = Counter(forest.scaled(factor).trees[0].value.tobytes() for forest in sent.values())
    assert Counter(tree.value.tobytes() for tree in merged.trees) == wanted


def test_the_readme_names_the_aggregations_of_the_table() -> None:
    """In the row of the setting, in the order of the table."""
    readme = (PACKAGE.parent / "README.md").read_text(encoding="utf-8")
    (listed,) = re.findall(r"^\| `aggregation` \|.*\(([^()]*)\) \|$", readme, re.MULTILINE)
    assert tuple(listed.split(", ")) == aggregation_kinds.aggregation_names()


def compared_texts(tree: ast.AST) -> set[str]:
    """Texts that are compared with something, alone or in a list, and keys and cases."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare | ast.MatchValue):
            constants = [n for n in ast.walk(node) if isinstance(n, ast.Constant)]
        elif isinstance(node, ast.Dict):
            constants = [key for key in node.keys if isinstance(key, ast.Constant)]
        else:
            continue
        found |= {constant.value for constant in constants if isinstance(constant.value, str)}
    return found


def test_only_the_table_tells_aggregations_by_name() -> None:
    """A module that compares one would have to be found when another is added; none is exempt."""
    names = {kind.name for kind in KINDS} | {kind.leaf_values for kind in KINDS} - {""}
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert not compared_texts(tree) & names, path
