"""A whole run in this process: what it leaves behind, whether it succeeds or fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from flwr.app import Message

from glean import server_app
from glean.client_app import app as client_app
from glean.demand import conclusion
from glean.errors import FederationError, GleanError, SettingsError
from glean.evaluation.tables.scores import SCORE_COLUMNS
from glean.features.bakery_rows import bakery_rows_of
from glean.federation.grids.inprocess import InProcessGrid, run_inprocess
from glean.federation.wire.messages import FinalReply
from glean.forecasting.forecasters import TreeForecaster
from glean.languages.language import Language
from glean.learning.forest import Forest
from glean.learning.local_trees import train_local_trees
from glean.metrics import wape
from glean.node_settings import NodeSettings
from glean.runs import record
from glean.seeds import derived_seed
from glean.settings import ConfigValue, RunSettings
from tests.federations import SMALL, Honest, MeddledApp
from tests.tables import random_table

METHODS = [
    "federated",
    "personalised",
    "chosen",
    "local",
    "pooled",
    "weekday-mean",
    "last-week",
]


@pytest.fixture(autouse=True)
def reports(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Drawing figures takes seconds and has tests of its own: only note that it was asked for."""
    asked: list[Path] = []
    monkeypatch.setattr(conclusion, "write_report", lambda folder, _: asked.append(folder))
    return asked


def run(
    out: Path, sales: str, *, nodes: int = 3, app: Any = client_app, **changes: ConfigValue
) -> Path:
    """Run the ServerApp; the folder that it leaves."""
    config = RunSettings().to_config() | SMALL | {"sales": sales, "output-dir": str(out)}
    config |= {key.replace("_", "-"): value for key, value in changes.items()}
    grid = InProcessGrid(app, [{"partition-id": k} for k in range(nodes)], config, run_id=8)
    run_inprocess(server_app.app, grid, config)
    return (out / "latest").resolve()


def facts_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return found


def events_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def test_a_run_leaves_the_files_of_the_design(
    tmp_path: Path, three_bakeries: str, reports: list[Path]
) -> None:
    """Everything is there, says the same, and the model is a genuine XGBoost model."""
    xgboost = pytest.importorskip("xgboost")
    folder = run(tmp_path, three_bakeries)
    facts = facts_of(folder)
    assert (facts["status"], facts["reason"], facts["engine"]) == ("completed", "", "inprocess")
    assert (facts["seed"], facts["bakeries"]) == (42, ["bakery 0", "bakery 1", "bakery 2"])
    assert facts["settings"]["max-depth"] == 2
    assert facts["versions"]["xgboost"] == xgboost.__version__
    assert facts["start"] <= facts["end"]
    assert facts["learning_rate"] == 0.3
    names = [event["event"] for event in events_of(folder)]
    assert names == [
        "phase_started",
        "run_started",
        "phase_started",
        "round_finished",
        "round_finished",
        "phase_started",
        "phase_started",
        "phase_started",
        "run_finished",
    ]
    assert reports == [folder]
    model = (folder / "model.ubj").read_bytes()
    assert model == (folder / "models" / f"round_{facts['best_round']:03d}.ubj").read_bytes()
    booster = xgboost.Booster(model_file=bytearray(model))
    assert booster.num_boosted_rounds() == Forest.from_bytes(model).tree_count


def test_every_bakery_has_a_row_a_method(tmp_path: Path, three_bakeries: str) -> None:
    """By bakery and in the methods' order; all on the same rows; single days beside them."""
    folder = run(tmp_path, three_bakeries, baselines=True)
    scores = pd.read_csv(folder / "bakeries.csv")
    assert list(scores) == list(SCORE_COLUMNS)
    wanted = [(f"bakery {k}", method) for k in range(3) for method in METHODS]
    assert list(zip(scores["bakery"], scores["method"], strict=True)) == wanted
    for _, mine in scores.groupby("bakery"):
        assert len(mine[["n_days", "n_rows", "units", "cohort"]].drop_duplicates()) == 1
    days = pd.read_csv(folder / "forecasts.csv")
    assert len(days) == scores.query("method == 'federated'")["n_rows"].sum()
    for name, mine in days.groupby("bakery"):
        error = (mine["federated"] - mine["units"]).abs().sum()
        row = scores[(scores["bakery"] == name) & (scores["method"] == "federated")].iloc[0]
        assert row["abs_error"] == pytest.approx(error)
    assert not (folder / "truth.csv").exists()


def test_the_local_rival_chooses_on_its_validation_window_only(
    tmp_path: Path, three_bakeries: str
) -> None:
    """Trained and chosen by hand on the bakery's own windows, it forecasts the test the same."""
    folder = run(tmp_path, three_bakeries, baselines=True)
    facts = facts_of(folder)
    settings = RunSettings.from_config(facts["settings"])
    definition = Forest.from_bytes((folder / "model.ubj").read_bytes()).definition
    bakery_rows = bakery_rows_of(NodeSettings(partition=1), settings)
    assert bakery_rows is not None
    alone = train_local_trees(
        bakery_rows.training(definition),
        bakery_rows.validation(definition),
        boosting=settings.boosting,
        seed=derived_seed(42, "local", "bakery 1"),
    )
    test = bakery_rows.test(definition)
    scores = pd.read_csv(folder / "bakeries.csv").set_index(["bakery", "method"])
    forecast = TreeForecaster(alone.forest).predict(test)
    assert scores.loc[("bakery 1", "local"), "wape"] == pytest.approx(wape(test.units, forecast))


def test_the_truth_is_told_of_synthetic_bakeries(tmp_path: Path) -> None:
    """Without a table the bakeries are synthetic, and the best possible forecast is known."""
    folder = run(tmp_path, "", nodes=2, num_server_rounds=1)
    truth = pd.read_csv(folder / "truth.csv")
    assert truth["bakery"].tolist() == facts_of(folder)["bakeries"]
    assert facts_of(folder)["synthetic"] is True


def test_newcomers_are_named(tmp_path: Path, three_bakeries: str) -> None:
    """In `run.json`, and by their cohort in the final scores, for every method."""
    folder = run(tmp_path, three_bakeries, newcomer_fraction=0.34, newcomer_days=20, baselines=True)
    (newcomer,) = facts_of(folder)["newcomers"]
    scores = pd.read_csv(folder / "bakeries.csv")
    assert set(scores.loc[scores["cohort"] == "newcomer", "bakery"]) == {newcomer}
    assert (scores["bakery"] == newcomer).sum() == len(METHODS)


def test_a_bakery_with_too_few_days_is_forecast_and_listed(tmp_path: Path) -> None:
    """It is named with the reason, has all its rows, and fails in no round."""
    table = random_table(bakeries=3).rows
    last = table["date"].max()
    short = (table["bakery"] == "bakery 1") & (table["date"] < last - pd.Timedelta(days=21))
    table[~short].to_csv(tmp_path / "short.csv", index=False)
    folder = run(tmp_path / "out", str(tmp_path / "short.csv"), baselines=True)
    told = [event for event in events_of(folder) if event["event"] == "bakery_not_trained"]
    assert [(event["bakery"], event["reason"][:20]) for event in told] == [
        ("bakery 1", "7 trading days befor")
    ]
    assert all(event["event"] != "bakery_failed" for event in events_of(folder))
    scores = pd.read_csv(folder / "bakeries.csv")
    assert (scores["bakery"] == "bakery 1").sum() == len(METHODS)
    assert pd.read_csv(folder / "rounds.csv")["bakeries"].tolist() == [2, 2]


def meddle_with_scores(message: Message, name: str, honest: Honest) -> Message:
    """Bakery 1 boasts of an unknown method."""
    reply = honest()
    if message.metadata.message_type == "evaluate.test" and name == "bakery 1":
        scores = FinalReply.from_record(reply.content)
        boast = scores.rows.replace('"federated"', '"oracle"')
        return Message(FinalReply(scores.bakery, scores.code, boast).to_record(), reply_to=message)
    return reply


def test_impossible_final_scores_cost_only_their_sender(
    tmp_path: Path, three_bakeries: str
) -> None:
    """The run completes; the bakery is named, and what it sent of itself is left out."""
    app = MeddledApp(meddle_with_scores)
    folder = run(tmp_path, three_bakeries, app=app)
    (failed,) = [event for event in events_of(folder) if event["event"] == "bakery_failed"]
    assert (failed["bakery"], failed["round"]) == ("bakery 1", 2)
    assert "oracle" in failed["reason"]
    scores = pd.read_csv(folder / "bakeries.csv")
    assert set(scores.query("method == 'federated'")["bakery"]) == {"bakery 0", "bakery 2"}


FAILURES = [
    ("", {"max_depth": 99}, SettingsError, "max-depth: found 99; wanted a whole number from 1 to"),
    ("", {"nonsense": 1}, SettingsError, "unknown key 'nonsense'"),
    ("/none.csv", {}, FederationError, "0 bakeries can take part"),
    ("", {"test_start": "2023-01-03"}, FederationError, "no bakery has enough to learn from"),
    ("", {"test_start": "2033-01-03"}, FederationError, "no bakery has a day in the test window"),
]


@pytest.mark.parametrize(("sales", "changes", "error", "words"), FAILURES)
def test_a_run_that_fails_says_so_in_its_folder(
    sales: str,
    changes: dict[str, Any],
    error: type[GleanError],
    words: str,
    tmp_path: Path,
    three_bakeries: str,
    reports: list[Path],
) -> None:
    """It raises, `run.json` has the status and the reason, and the last event ends it."""
    with pytest.raises(error, match=words):
        run(tmp_path, sales or three_bakeries, **changes)
    folder = (tmp_path / "latest").resolve()
    facts = facts_of(folder)
    assert facts["status"] == "failed"
    assert facts["end"] is not None
    last = events_of(folder)[-1]
    assert (last["event"], last["status"]) == ("run_finished", "failed")
    assert last["reason"] == facts["reason"] != ""
    assert reports == []


def test_a_report_that_can_not_be_written_fails_the_run(
    tmp_path: Path, three_bakeries: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run whose report is missing isn't called completed."""

    def refuse(_folder: Path, _language: Language) -> None:
        raise GleanError("no ink")

    monkeypatch.setattr(conclusion, "write_report", refuse)
    with pytest.raises(GleanError, match="no ink"):
        run(tmp_path, three_bakeries)
    assert facts_of((tmp_path / "latest").resolve())["status"] == "failed"


def test_a_package_that_is_not_installed_is_no_reason_to_fail() -> None:
    """From Flower's bundle alone, Glean itself isn't installed."""
    assert record._version("no-such-package-anywhere") == "not installed"
