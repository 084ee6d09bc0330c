"""The rounds: the same seed gives the same bytes, the best is kept, everyone has its turn."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from flwr.app import Message

from glean.errors import FederationError
from glean.features.bakery_rows import bakery_rows_of
from glean.federation.coordination.global_model import TreeModel, WeightModel
from glean.federation.grids.inprocess import InProcessGrid
from glean.federation.server.training_loop import TrainingResult
from glean.federation.wire.messages import EvaluateReply
from glean.learning.booster import predict
from glean.learning.forest import Forest
from glean.metrics import ErrorSums
from glean.node_settings import NodeSettings
from glean.settings import ConfigValue, RunSettings
from tests.federations import (
    Federation,
    Honest,
    MeddledApp,
    federation_of,
    model_bytes,
    small_settings,
)

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


@pytest.mark.parametrize(
    ("changes", "trees"),
    [
        ({}, [3, 6]),
        ({"trees_per_round": 2, "num_parallel_tree": 3}, [18, 36]),
        ({"aggregation": "cyclic"}, [1, 2]),
        ({"fraction_train": 0.34}, [1, 2]),
    ],
)
def test_a_round_adds_the_trees_of_all_who_train(
    changes: dict[str, ConfigValue], trees: list[int], tmp_path: Path, three_bakeries: str
) -> None:
    """Bakeries times steps times parallel trees, nothing lost and nothing doubled."""
    federation = federation_of(tmp_path, small_settings(three_bakeries, **changes))
    federation.run()
    files = sorted((federation.folder.path / "models").iterdir())
    assert [path.name for path in files] == ["round_001.ubj", "round_002.ubj"]
    forests = [Forest.from_bytes(path.read_bytes()) for path in files]
    assert [forest.tree_count for forest in forests] == trees
    assert forests[1].first(trees[0]).to_bytes() == forests[0].to_bytes()


def test_cyclic_goes_from_bakery_to_bakery(tmp_path: Path, three_bakeries: str) -> None:
    """One bakery trains a round, by name; everyone scores every round."""
    asked: list[str] = []

    def meddle(message: Message, name: str, honest: Honest) -> Message:
        if message.metadata.message_type == "train":
            asked.append(name)
        return honest()

    settings = small_settings(three_bakeries, aggregation="cyclic", num_server_rounds=4)
    federation = federation_of(tmp_path, settings, partitions=[2, 1, 0], app=MeddledApp(meddle))
    federation.run()
    assert asked == ["bakery 0", "bakery 1", "bakery 2", "bakery 0"]
    rounds = federation.table("rounds.csv")
    assert rounds["bakeries"].tolist() == rounds["replies"].tolist() == [1] * 4
    assert len(federation.table("bakery_rounds.csv")) == 12


@pytest.mark.parametrize("kind", ["neural", "poisson"])
def test_averaged_weights_learn(kind: str, tmp_path: Path, three_bakeries: str) -> None:
    """Some rounds of averaging forecast better than the first; the file holds weights."""
    settings = small_settings(
        three_bakeries,
        aggregation="fedavg",
        fedavg_model=kind,
        num_server_rounds=6,
        learning_rate=0.0,
    )
    federation = federation_of(tmp_path, settings)
    result = federation.run()
    assert isinstance(result.model, WeightModel)
    wape = federation.table("rounds.csv")["wape"]
    assert wape.min() < wape[0]
    assert (federation.folder.path / "models" / "round_006.npz").is_file()


def test_the_score_of_a_round_is_its_model_s_on_the_validation_windows(
    tmp_path: Path, three_bakeries: str
) -> None:
    """Summed over the bakeries' own forecasts with the checkpoint, the slow way."""
    settings = small_settings(three_bakeries)
    federation = federation_of(tmp_path, settings)
    result = federation.run()
    assert isinstance(result.model, TreeModel)
    forest = result.model.forest
    sums = []
    for partition in range(3):
        bakery_rows = bakery_rows_of(NodeSettings(partition), settings)
        assert bakery_rows is not None
        rows = bakery_rows.validation(forest.definition)
        sums.append(ErrorSums.of(rows.units, predict(forest, rows.x) * rows.level))
        assert len(rows) > 0
    total = sums[0] + sums[1] + sums[2]
    row = federation.table("rounds.csv").iloc[result.best_round - 1]
    assert row["wape"] == pytest.approx(total.wape, rel=1e-6)
    assert row["rmse"] == pytest.approx(total.rmse, rel=1e-6)
    mine = federation.table("bakery_rounds.csv").query(f"round == {result.best_round}")
    assert mine["wape"].tolist() == pytest.approx([each.wape for each in sums], rel=1e-6)
    assert mine["n_examples"].tolist() == [each.rows for each in sums]


def scripted(
    out: Path, sales: str, wapes: Sequence[float], **changes: ConfigValue
) -> tuple[Federation, TrainingResult]:
    """Run rounds whose validation WAPE is told by the test; NaN is a round without rows."""
    calls = {"round": 0}

    def meddle(message: Message, _name: str, honest: Honest) -> Message:
        reply = honest()
        if message.metadata.message_type != "evaluate":
            return reply
        number = int(message.metadata.group_id)
        calls["round"] = max(calls["round"], number)
        wape = wapes[number - 1]
        sums = (
            ErrorSums()
            if math.isnan(wape)
            else ErrorSums(rows=1.0, units=1.0, abs_error=wape, squared_error=wape**2)
        )
        score = replace(EvaluateReply.from_record(reply.content), sums=astuple(sums))
        return Message(score.to_record(), reply_to=message)

    settings = small_settings(sales, num_server_rounds=len(wapes), **changes)
    federation = federation_of(out, settings, app=MeddledApp(meddle))
    result = federation.run()
    assert calls["round"] == result.last_round
    return federation, result


NAN = math.nan


@pytest.mark.parametrize(
    ("wapes", "best"),
    [
        ([0.3, 0.2, 0.1], 3),
        ([0.1, 0.2, 0.3], 1),
        ([0.3, 0.1, 0.2], 2),
        ([0.2, 0.2, 0.2], 1),
        ([NAN, NAN, NAN], 3),
        ([NAN, 0.5, 0.9], 2),
        ([0.1, NAN, 0.9], 1),
        ([0.5, NAN, 0.1], 3),
    ],
)
def test_the_best_round_is_kept(
    wapes: list[float], best: int, tmp_path: Path, three_bakeries: str
) -> None:
    """The first of the best scored rounds; where none was scored, the last."""
    federation, result = scripted(tmp_path, three_bakeries, wapes)
    assert (result.best_round, result.last_round) == (best, 3)
    kept = federation.folder.path / "models" / f"round_{best:03d}.ubj"
    assert result.model.to_bytes() == kept.read_bytes()


@pytest.mark.parametrize(
    ("patience", "wapes", "best", "last"),
    [
        (0, [0.1, 0.2, 0.3, 0.4, 0.5], 1, 5),
        (1, [0.3, 0.2, 0.3, 0.1, 0.1], 2, 3),
        (2, [0.3, 0.2, 0.3, 0.1, 0.4], 4, 5),
        (2, [0.3, 0.2, 0.3, 0.25, 0.1], 2, 4),
        (2, [0.3, NAN, NAN, 0.1, 0.1], 1, 3),
        (2, [NAN, NAN, NAN, NAN, NAN], 5, 5),
    ],
)
def test_early_stopping_waits_as_long_as_it_is_told(
    patience: int,
    wapes: list[float],
    best: int,
    last: int,
    tmp_path: Path,
    three_bakeries: str,
) -> None:
    """It stops after that many rounds without a better score, and keeps the best."""
    federation, result = scripted(tmp_path, three_bakeries, wapes, early_stopping_rounds=patience)
    assert (result.best_round, result.last_round) == (best, last)
    assert len(federation.table("rounds.csv")) == last


def test_an_unscored_round_is_empty_in_the_files(tmp_path: Path, three_bakeries: str) -> None:
    """No NaN in the events, which other programs read as JSON; an empty score in the table."""
    federation, _ = scripted(tmp_path, three_bakeries, [NAN])

    def refuse(name: str) -> float:
        raise AssertionError(f"found {name}, which is no JSON")

    lines = (federation.folder.path / "events.jsonl").read_text().splitlines()
    (event,) = [json.loads(line, parse_constant=refuse) for line in lines]
    assert (event["event"], event["wape"]) == ("round_finished", None)
    assert federation.table("rounds.csv")["wape"].isna().all()


def test_shares_are_drawn_by_name(tmp_path: Path, three_bakeries: str) -> None:
    """Who trains changes from round to round; who scores doesn't, or luck would choose a round."""
    asked: dict[str, list[str]] = {"train": [], "evaluate": []}

    def meddle(message: Message, name: str, honest: Honest) -> Message:
        asked.get(message.metadata.message_type, []).append(name)
        return honest()

    settings = small_settings(
        three_bakeries, fraction_train=0.34, fraction_evaluate=0.34, num_server_rounds=12
    )
    federation = federation_of(tmp_path, settings, app=MeddledApp(meddle))
    federation.run()
    assert set(asked["train"]) == {"bakery 0", "bakery 1", "bakery 2"}
    assert len(set(asked["evaluate"])) == 1
    assert federation.table("rounds.csv")["bakeries"].tolist() == [1] * 12
    assert len(federation.table("bakery_rounds.csv")) == 12


@pytest.mark.parametrize(("fraction", "count"), [(0.0, 0), (0.34, 1), (0.67, 2), (1.0, 3)])
def test_newcomers_are_drawn_by_name_and_cut(
    fraction: float, count: int, tmp_path: Path, three_bakeries: str
) -> None:
    """That share of the bakeries; they train on their last days only, the others on all."""
    settings = small_settings(three_bakeries, newcomer_fraction=fraction, newcomer_days=25)
    federation = federation_of(tmp_path / "1", settings)
    again = federation_of(tmp_path / "2", settings, partitions=[2, 1, 0])
    assert len(federation.newcomers) == count
    assert again.newcomers == federation.newcomers
    federation.run()
    rows = federation.table("bakery_rounds.csv").query("round == 1").set_index("bakery")
    newcomer = rows.index.isin(list(federation.newcomers))
    # A fifth of 25 days are 5 for validation, instead of 14.
    assert (rows.loc[newcomer, "n_examples"] <= 10).all()
    assert (rows.loc[~newcomer, "n_examples"] == 24).all()


def test_a_newcomer_with_too_few_days_is_forecast_but_not_asked_to_train(
    tmp_path: Path, three_bakeries: str
) -> None:
    """Cut to ten days it can't learn: no failure in every round, but a note and a forecast."""
    settings = small_settings(three_bakeries, newcomer_fraction=0.34, newcomer_days=10)
    federation = federation_of(tmp_path, settings)
    (newcomer,) = federation.newcomers
    assert "wanted at least 14" in federation.bakeries[newcomer].note
    result = federation.run()
    assert federation.failures() == []
    assert federation.table("rounds.csv")["bakeries"].tolist() == [2, 2]
    assert set(federation.test(result)) == {"bakery 0", "bakery 1", "bakery 2"}


@pytest.mark.parametrize("aggregation", ["bagging", "cyclic", "fedavg"])
def test_where_nobody_can_train_the_run_says_why(
    aggregation: str, tmp_path: Path, three_bakeries: str
) -> None:
    """A test window that starts on the first day leaves nothing to learn from."""
    settings = small_settings(three_bakeries, aggregation=aggregation, test_start="2023-01-02")
    with pytest.raises(FederationError, match="no bakery has enough to learn from"):
        federation_of(tmp_path, settings).run()


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_season_features_are_agreed_only_where_someone_knows_it(
    fraction: float, tmp_path: Path
) -> None:
    """Synthetic bakeries have years of history; all of them cut short, nobody knows the season."""
    config: dict[str, ConfigValue] = {
        "newcomer-fraction": fraction,
        "newcomer-days": 40,
        "num-server-rounds": 1,
        "max-depth": 2,
        "baselines": False,
    }
    settings = RunSettings.from_config(config)
    federation = federation_of(tmp_path, settings, partitions=range(2))
    model = federation.run().model
    assert isinstance(model, TreeModel)
    assert model.forest.definition.season == (fraction == 0.0)


@pytest.mark.parametrize("aggregation", ["bagging", "fedavg"])
@pytest.mark.parametrize("window", ["test", "validation"])
def test_later_windows_are_not_learned_from(
    window: str, aggregation: str, tmp_path: Path, three_bakeries: str
) -> None:
    """Sales in the test window move nothing; those in the validation window no checkpoint."""
    rows = pd.read_csv(three_bakeries, parse_dates=["date"])
    days_after = {"test": 14, "validation": 28}[window]
    later = rows["date"] > rows["date"].max() - pd.Timedelta(days=days_after)
    units = rows["units"].where(~later, 3 * rows["units"] + 50)
    rows.assign(units=units).to_csv(tmp_path / "other.csv", index=False)
    folders, models = [], []
    for name, sales in (("one", three_bakeries), ("two", str(tmp_path / "other.csv"))):
        settings = small_settings(sales, aggregation=aggregation, num_server_rounds=3)
        federation = federation_of(tmp_path / name, settings)
        models.append(federation.run().model.to_bytes())
        folders.append(federation.folder.path)
    checkpoints = [sorted((folder / "models").iterdir()) for folder in folders]
    assert [len(files) for files in checkpoints] == [3, 3]
    for one, two in zip(*checkpoints, strict=True):
        assert one.read_bytes() == two.read_bytes()
    scores = [(folder / "bakery_rounds.csv").read_bytes() for folder in folders]
    assert (scores[0] == scores[1]) == (window == "test")
    if window == "test":
        assert models[0] == models[1]


def test_the_final_test_is_of_the_best_model(tmp_path: Path, three_bakeries: str) -> None:
    """Every bakery judges the kept round's model on its test rows, not the last round's."""
    federation, result = scripted(tmp_path, three_bakeries, [0.1, 0.3])
    replies = federation.test(result)
    assert isinstance(result.model, TreeModel)
    forest = result.model.forest
    assert forest.tree_count == 3
    for partition in range(3):
        bakery_rows = bakery_rows_of(NodeSettings(partition), federation.settings)
        assert bakery_rows is not None
        rows = bakery_rows.test(forest.definition)
        sums = ErrorSums.of(rows.units, np.maximum(predict(forest, rows.x), 0) * rows.level)
        (score,) = json.loads(replies[f"bakery {partition}"])
        assert score["method"] == "federated"
        assert score["wape"] == pytest.approx(sums.wape, rel=1e-9)


def test_the_files_of_the_rounds_are_complete(tmp_path: Path, three_bakeries: str) -> None:
    """A row a round and a row a bakery and round; an event a round with the same figures."""
    federation = federation_of(tmp_path, small_settings(three_bakeries, num_server_rounds=3))
    federation.run()
    rounds = federation.table("rounds.csv")
    assert rounds["round"].tolist() == [1, 2, 3]
    pairs = federation.table("bakery_rounds.csv")[["round", "bakery"]]
    wanted = [(number, f"bakery {k}") for number in (1, 2, 3) for k in range(3)]
    assert list(pairs.itertuples(index=False, name=None)) == wanted
    lines = (federation.folder.path / "events.jsonl").read_text().splitlines()
    told = pd.DataFrame([json.loads(line) for line in lines])
    pd.testing.assert_frame_equal(told[list(rounds)], rounds, check_dtype=False)
