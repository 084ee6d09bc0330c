"""The same seed gives the same bytes, whatever order nodes and replies come in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from flwr.app import Message

from glean.federation.grids.inprocess import InProcessGrid
from glean.learning.forest import Forest
from glean.settings import ConfigValue
from tests.federations import federation_of, model_bytes, small_settings

SETTINGS: dict[str, dict[str, ConfigValue]] = {
    "bagging": {},
    "sampled rows": {"subsample": 0.6, "colsample": 0.7},
    "several trees": {"trees_per_round": 2, "num_parallel_tree": 3, "subsample": 0.8},
    "cyclic": {"aggregation": "cyclic", "num_server_rounds": 4},
    "network": {"aggregation": "fedavg", "fedavg_model": "neural"},
    "linear": {"aggregation": "fedavg", "fedavg_model": "poisson"},
    "some of them": {"fraction_train": 0.5, "fraction_evaluate": 0.5, "num_server_rounds": 4},
    "newcomers": {"newcomer_fraction": 0.34, "newcomer_days": 20},
}


class BackToFront(InProcessGrid):
    """Names its nodes in reverse, and replies come in reverse too."""

    def get_node_ids(self) -> list[int]:
        return list(super().get_node_ids())[::-1]

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        return super().pull_messages(list(message_ids)[::-1])


@pytest.mark.parametrize("changes", SETTINGS.values(), ids=SETTINGS)
def test_node_ids_and_the_order_of_replies_change_no_byte(
    changes: dict[str, ConfigValue], tmp_path: Path, three_bakeries: str
) -> None:
    """Whatever order nodes are numbered, named and heard in, the model's bytes are the same."""
    settings = small_settings(three_bakeries, **changes)
    first = model_bytes(tmp_path / "1", settings)
    assert model_bytes(tmp_path / "2", settings) == first
    assert model_bytes(tmp_path / "3", settings, [2, 0, 1]) == first
    turned = federation_of(tmp_path / "4", settings, grid_type=BackToFront)
    assert turned.run().model.to_bytes() == first


@pytest.mark.parametrize("name", ["sampled rows", "some of them", "network"])
def test_nodes_with_tables_of_their_own_train_the_same_model(
    name: str, tmp_path: Path, three_bakeries: str
) -> None:
    """As in a deployment: each node reads its own rows, all are partition 0; only names count."""
    settings = small_settings(three_bakeries, **SETTINGS[name])
    simulated = model_bytes(tmp_path / "simulated", settings)
    whole = pd.read_csv(three_bakeries)
    nodes: list[dict[str, ConfigValue]] = []
    for k in (1, 2, 0):
        path = tmp_path / f"own-{k}.csv"
        mine = whole[whole["bakery"] == f"bakery {k}"]
        mine.drop(columns="bakery").to_csv(path, index=False)
        nodes.append({"sales": str(path), "bakery": f"bakery {k}"})
    deployed = federation_of(tmp_path / "deployed", settings, nodes=nodes)
    assert all(info.own_table for info in deployed.bakeries.values())
    assert deployed.run().model.to_bytes() == simulated


@pytest.mark.parametrize("name", ["bagging", "sampled rows", "network"])
def test_another_seed_matters_where_something_is_drawn(
    name: str, tmp_path: Path, three_bakeries: str
) -> None:
    """Sampled rows and drawn weights go by the seed; without either it changes nothing."""
    settings = small_settings(three_bakeries, **SETTINGS[name])
    one, two = (model_bytes(tmp_path / str(seed), replace(settings, seed=seed)) for seed in (1, 2))
    assert (one == two) == (name == "bagging")


def test_every_round_draws_anew(tmp_path: Path, three_bakeries: str) -> None:
    """With the same margins a second round would grow the first one's trees if it didn't."""
    settings = small_settings(
        three_bakeries, subsample=0.5, learning_rate=1e-9, num_server_rounds=2, max_depth=3
    )
    federation = federation_of(tmp_path, settings)
    federation.run()
    last = (federation.folder.path / "models" / "round_002.ubj").read_bytes()
    shapes = [tree.split_feature.tobytes() for tree in Forest.from_bytes(last).trees]
    assert len(shapes) == 6
    assert all(shapes[k] != shapes[k + 3] for k in range(3))
