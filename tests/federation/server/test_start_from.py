"""Next month: a run goes on from an earlier model, and says what that gained."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from flwr.app import Message
from typer.testing import CliRunner

from glean.cli.app import app as command
from glean.evaluation.pages.report import write_report
from glean.evaluation.tables.headline import gain_sentence
from glean.evaluation.tables.results import read_results
from glean.evaluation.tables.scores import SCORE_COLUMNS
from glean.evaluation.tables.summary import summarise
from glean.features.bakery_rows import bakery_rows_of
from glean.federation.wire.messages import FinalReply
from glean.forecasting.forecasters import read_model
from glean.languages.language import ENGLISH
from glean.learning.forest import Forest
from glean.metrics import wape
from glean.node_settings import NodeSettings
from glean.sales.partitions import bakeries_of_run
from glean.settings import ConfigValue, RunSettings, TableSettings
from tests.federations import Honest, MeddledApp
from tests.inprocess_runs import config_of, cut_off, facts_of, run
from tests.tables import random_table

pytestmark = pytest.mark.slow

AGGREGATIONS: dict[str, dict[str, ConfigValue]] = {
    "bagging": {"num_parallel_tree": 2, "subsample": 0.7},
    "cyclic": {"aggregation": "cyclic"},
    "histogram": {"aggregation": "histogram", "secure_sums": True},
    "refit": {"leaf_values": "refit", "secure_sums": True},
    "network": {"aggregation": "fedavg", "fedavg_model": "neural"},
    "linear": {"aggregation": "fedavg", "fedavg_model": "poisson"},
}
DAYS = 150


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A table of three bakeries as it was a month ago, and as it is now."""
    folder = tmp_path_factory.mktemp("sales")
    rows = random_table(bakeries=3, days=DAYS).rows
    month_ago = rows["date"].max() - pd.Timedelta(days=30)
    rows.to_csv(folder / "now.csv", index=False)
    rows[rows["date"] <= month_ago].to_csv(folder / "then.csv", index=False)
    return str(folder / "then.csv"), str(folder / "now.csv")


def model_path(folder: Path) -> Path:
    (path,) = folder.glob("model.*")
    return path


Earlier = Callable[..., Path]


@pytest.fixture(scope="module")
def now(tables: tuple[str, str]) -> str:
    """The table as it is now."""
    return tables[1]


@pytest.fixture(scope="module")
def earlier(tables: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Earlier:
    """Give the model that a run with these changes made a month ago."""
    made: dict[str, Path] = {}

    def model_of(**changes: ConfigValue) -> Path:
        key = str(sorted(changes.items()))
        if key not in made:
            folder = tmp_path_factory.mktemp("then")
            made[key] = model_path(run(folder, config_of(tables[0], **changes)))
        return made[key]

    return model_of


@pytest.mark.parametrize("changes", AGGREGATIONS.values(), ids=AGGREGATIONS)
def test_a_run_goes_on_from_an_earlier_model(
    changes: dict[str, ConfigValue], tmp_path: Path, earlier: Earlier, now: str
) -> None:
    """It is scored before the first round, and judged in the end on the rows of all methods.

    Both by hand: its forecasts of every bakery's validation and test window of the longer table.
    """
    before = earlier(**changes)
    # Rivals don't hang on what the federation's model is; one kind shows them on the same rows.
    rivals = changes is AGGREGATIONS["bagging"]
    config = config_of(now, start_from=str(before), baselines=rivals, **changes)
    folder = run(tmp_path / "now", config)
    model = read_model(before.read_bytes())
    definition = model.definition
    settings = RunSettings.from_config(config)
    bakeries = [bakery_rows_of(NodeSettings(k), settings) for k in range(3)]
    units, forecasts = [], []
    scores = pd.read_csv(folder / "bakeries.csv").set_index(["bakery", "method"])
    for bakery in bakeries:
        assert bakery is not None
        rows = bakery.validation(definition)
        units.append(rows.units)
        forecasts.append(model.predict(rows))
        test = bakery.test(definition)
        mine = scores.loc[bakery.sales.name]
        told = mine.loc["start-from", "wape"]
        assert told == pytest.approx(wape(test.units, model.predict(test)))
        assert len(mine[["n_days", "n_rows", "units", "cohort"]].drop_duplicates()) == 1
        assert list(mine.index)[:2] == ["federated", "start-from"]
    rounds = pd.read_csv(folder / "rounds.csv")
    assert rounds["round"].tolist() == [0, 1, 2]
    wanted = wape(np.concatenate(units), np.concatenate(forecasts))
    assert rounds["wape"][0] == pytest.approx(wanted)
    assert (rounds["bakeries"][0], rounds["replies"][0]) == (0, 0)
    assert pd.read_csv(folder / "bakery_rounds.csv")["round"].value_counts()[0] == 3
    kept = folder / "models" / f"round_000{before.suffix}"
    assert kept.read_bytes() == before.read_bytes()


def test_new_trees_stand_behind_the_old_ones(tmp_path: Path, earlier: Earlier, now: str) -> None:
    """Round by round more trees, and the model of last month is the beginning of each."""
    before = earlier()
    old = Forest.from_bytes(before.read_bytes())
    folder = run(tmp_path / "now", config_of(now, start_from=str(before)))
    for number in (1, 2):
        content = (folder / "models" / f"round_{number:03d}.ubj").read_bytes()
        model = Forest.from_bytes(content)
        assert model.tree_count == old.tree_count + 3 * number
        assert model.first(old.tree_count).to_bytes() == before.read_bytes()


def test_what_makes_it_worse_is_not_kept(tmp_path: Path, earlier: Earlier, now: str) -> None:
    """Where no round is better than the model that the run started from, that one is the result."""
    before = earlier(num_server_rounds=10)
    greedy: dict[str, ConfigValue] = {"learning_rate": 1.0, "max_depth": 12, "reg_lambda": 0.0}
    config = config_of(now, start_from=str(before), aggregation="cyclic", **greedy)
    folder = run(tmp_path / "now", config | {"early-stopping-rounds": 2, "num-server-rounds": 9})
    assert facts_of(folder)["best_round"] == 0
    assert facts_of(folder)["last_round"] == 2
    assert model_path(folder).read_bytes() == before.read_bytes()
    scores = pd.read_csv(folder / "bakeries.csv").drop(columns="bakery")
    federated, start = (
        scores[scores["method"] == method].drop(columns="method").reset_index(drop=True)
        for method in ("federated", "start-from")
    )
    pd.testing.assert_frame_equal(federated, start)


def test_nodes_with_tables_of_their_own_go_on_too(
    tmp_path: Path, earlier: Earlier, now: str
) -> None:
    """As in a deployment, where no rival is pooled; the scores are those of the simulation."""
    before = earlier()
    simulated = run(tmp_path / "simulated", config_of(now, start_from=str(before)))
    whole = pd.read_csv(now)
    nodes: list[dict[str, ConfigValue]] = []
    for k in range(3):
        path = tmp_path / f"own-{k}.csv"
        whole[whole["bakery"] == f"bakery {k}"].drop(columns="bakery").to_csv(path, index=False)
        nodes.append({"sales": str(path), "bakery": f"bakery {k}"})
    deployed = run(tmp_path / "deployed", config_of("", start_from=str(before)), nodes=nodes)
    assert facts_of(deployed)["engine"] == "deployment"
    for name in ("model.ubj", "bakeries.csv", "bakery_rounds.csv"):
        assert (deployed / name).read_bytes() == (simulated / name).read_bytes(), name


CUTS = [("bagging", 1, 0), ("bagging", 2, 1), ("bagging", 4, 3)]
CUTS += [(kind, number, number - 2) for kind in ("histogram", "refit") for number in (2, 4)]


@pytest.mark.parametrize(("kind", "round_number", "complete"), CUTS)
def test_it_can_be_interrupted_and_resumed(
    kind: str, round_number: int, complete: int, tmp_path: Path, earlier: Earlier, now: str
) -> None:
    """From its own folder, which holds all that it needs: last month's model may be gone by then.

    What is made of sums is asked for while the model of the round before is still to be scored.
    """
    changes = {**AGGREGATIONS[kind], "num_server_rounds": 5, "subsample": 0.7}
    before = Path(shutil.copy(earlier(**AGGREGATIONS[kind]), tmp_path))
    config = config_of(now, start_from=str(before), **changes)
    whole = run(tmp_path / "whole", config)
    old = cut_off(tmp_path / "now", config, round_number=round_number)
    before.unlink()
    new = run(tmp_path / "now", config | {"resume": str(old)})
    assert facts_of(new)["resumed_round"] == complete
    for name in ("model.ubj", "bakeries.csv", "bakery_rounds.csv"):
        assert (new / name).read_bytes() == (whole / name).read_bytes(), name


def boast(message: Message, name: str, honest: Honest) -> Message:
    """Bakery 1 judges the earlier model on fewer rows, and bakery 2 calls it by another name."""
    reply = honest()
    if message.metadata.message_type == "evaluate.start" and name != "bakery 0":
        scores = FinalReply.from_record(reply.content)
        told = re.sub(r'"n_rows": \d+', '"n_rows": 1', scores.rows)
        if name == "bakery 2":
            told = scores.rows.replace("start-from", "pooled")
        return Message(FinalReply(scores.bakery, scores.code, told).to_record(), reply_to=message)
    return reply


def test_impossible_scores_cost_only_their_sender(
    tmp_path: Path, earlier: Earlier, now: str
) -> None:
    """The run completes; who sent them is named, and stays in the table with the other methods."""
    before = earlier()
    config = config_of(now, start_from=str(before))
    folder = run(tmp_path / "now", config, app=MeddledApp(boast))
    failures = {event.bakery: event.reason for event in read_results(folder).failures}
    assert failures.keys() == {"bakery 1", "bakery 2"}
    assert "same rows" in failures["bakery 1"]
    assert "wanted start-from once" in failures["bakery 2"]
    methods = pd.read_csv(folder / "bakeries.csv").groupby("bakery")["method"].agg(list)
    assert methods.to_dict() == {
        "bakery 0": ["federated", "start-from"],
        "bakery 1": ["federated"],
        "bakery 2": ["federated"],
    }


def scores_of(shares: dict[str, float]) -> pd.DataFrame:
    """Scores of one bakery that sold 1000 units."""
    row = dict.fromkeys(SCORE_COLUMNS, 1.0) | {"bakery": "a", "cohort": "established"}
    return pd.DataFrame(
        row | {"method": method, "units": 1000.0, "abs_error": 1000 * share, "wape": share}
        for method, share in shares.items()
    )


GAINS = [
    (0.171, 0.164, "before: 17.1%, now 16.4%: better (-0.7 percentage points)."),
    (0.164, 0.171, "before: 16.4%, now 17.1%: worse (+0.7 percentage points)."),
    (0.164, 0.164, "before: 16.4%, now 16.4%: about equal (+0.0 percentage points)."),
]


@pytest.mark.parametrize(("before", "now", "words"), GAINS)
def test_what_was_gained_is_said_flattering_or_not(before: float, now: float, words: str) -> None:
    """In one sentence, with both errors; none where the run started from no model."""
    summary = summarise(scores_of({"federated": now, "start-from": before, "local": 0.2}))
    assert gain_sentence(summary, ENGLISH).endswith(words)
    assert gain_sentence(summarise(scores_of({"federated": now, "local": 0.2})), ENGLISH) == ""


def test_next_month_as_typed_and_its_report(tmp_path: Path) -> None:
    """Synthetic bakeries, last month's table and this month's: the terminal and the report agree.

    Both name the error before and now; the picture of the rounds begins with round 0.
    """
    bakeries = bakeries_of_run(TableSettings(), 3)
    rows = pd.concat([b.table.rows.assign(bakery=b.name) for b in bakeries], ignore_index=True)
    month_ago = rows["date"].max() - pd.Timedelta(days=30)
    rows.to_csv(tmp_path / "now.csv", index=False)
    rows[rows["date"] <= month_ago].to_csv(tmp_path / "then.csv", index=False)
    quick = {"num-server-rounds": 4, "max-depth": 4, "baselines": "false"}

    def simulate(name: str, **more: str) -> str:
        config = quick | {key.replace("_", "-"): value for key, value in more.items()}
        words = [word for key, value in config.items() for word in ("--set", f"{key}={value}")]
        table, out = tmp_path / f"{name}.csv", tmp_path / name
        result = CliRunner().invoke(
            command,
            ["simulate", "--engine", "inprocess", *words, f"--sales={table}", f"--out={out}"],
        )
        assert result.exit_code == 0, result.output
        return result.stdout

    assert "start-from" not in simulate("then")
    before = tmp_path / "then" / "latest" / "model.ubj"
    shown = simulate("now", start_from=str(before))
    folder = (tmp_path / "now" / "latest").resolve()
    scores = pd.read_csv(folder / "bakeries.csv")
    sums = scores.groupby("method")[["abs_error", "units"]].sum()
    shares = 100 * sums["abs_error"] / sums["units"]
    assert shares["federated"] < shares["start-from"]
    gain = f"before: {shares['start-from']:.1f}%, now {shares['federated']:.1f}%: better"
    assert gain in shown
    assert "│ start-from" in shown
    page = write_report(folder).read_text(encoding="utf-8")
    for words in (gain, "Round 0 is the model that the run started from", str(before.resolve())):
        assert words in page, words
