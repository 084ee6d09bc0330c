"""The rounds: the same seed gives the same bytes, the best is kept, everyone has its turn."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from flwr.app import Message

from glean.errors import FederationError
from glean.features.bakery_rows import bakery_rows_of
from glean.federation.coordination.global_model import TreeModel, WeightModel
from glean.learning.booster import predict
from glean.learning.forest import Forest
from glean.metrics import ErrorSums
from glean.node_settings import NodeSettings
from glean.settings import ConfigValue, RunSettings
from tests.federations import Honest, MeddledApp, federation_of, small_settings


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


@pytest.mark.parametrize(("kind", "learning_rate"), [("neural", 0.0), ("poisson", 0.3)])
def test_averaged_weights_learn(
    kind: str, learning_rate: float, tmp_path: Path, three_bakeries: str
) -> None:
    """Some rounds of averaging forecast better than the first; the file holds weights."""
    settings = small_settings(
        three_bakeries,
        aggregation="fedavg",
        fedavg_model=kind,
        num_server_rounds=6,
        learning_rate=learning_rate,
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
    checkpoints = [sorted((folder / "models").glob("round_00[123].*")) for folder in folders]
    assert [len(files) for files in checkpoints] == [3, 3]
    for one, two in zip(*checkpoints, strict=True):
        assert one.read_bytes() == two.read_bytes()
    scores = [(folder / "bakery_rounds.csv").read_bytes() for folder in folders]
    assert (scores[0] == scores[1]) == (window == "test")
    if window == "test":
        assert models[0] == models[1]


def test_the_files_of_the_rounds_are_complete(tmp_path: Path, three_bakeries: str) -> None:
    """A row a round and a row a bakery and round; an event a round with the same figures."""
    federation = federation_of(tmp_path, small_settings(three_bakeries, num_server_rounds=3))
    federation.run()
    rounds = federation.table("rounds.csv")
    assert rounds["round"].tolist() == [1, 2, 3]
    assert rounds.pop("virtual_seconds").isna().all()
    pairs = federation.table("bakery_rounds.csv")[["round", "bakery"]]
    wanted = [(number, f"bakery {k}") for number in (1, 2, 3) for k in range(3)]
    assert list(pairs.itertuples(index=False, name=None)) == wanted
    lines = (federation.folder.path / "events.jsonl").read_text().splitlines()
    told = pd.DataFrame([json.loads(line) for line in lines])
    pd.testing.assert_frame_equal(told[list(rounds)], rounds, check_dtype=False)
