"""The registry against a real MLflow server: runs and models go there, and come from there."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from glean.iris.species import LENGTHS, SPECIES, classify
from glean.iris.workload import IRIS
from glean.registry.model_package import QUANTILES
from tests import processes
from tests.cli.typed_commands import glean, simulate
from tests.mlflow_server import MlflowServer
from tests.processes import REPOSITORY
from tests.tables import random_table

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FLOWERS = [[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5], [5.7, 2.8, 4.1, 1.3]]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What commands set for the processes that they start goes with the test."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")


def simulate_iris(out: Path, server: MlflowServer, model: str, *words: str) -> Path:
    """A run of three clients whose model goes to the registry."""
    done = glean(
        "simulate", "--engine", "inprocess", "--bakeries", "3", "--out", out,
        "--set", "workload=iris", "--set", "num-server-rounds=2",
        "--mlflow", server.address, "--registered-model", model, *words,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "not all of the run" not in done.output
    return (out / "latest").resolve()


def predict(server: MlflowServer, uri: str, question: object, folder: Path) -> Any:
    """What `mlflow models predict` answers, as it is typed."""
    asked, answered = folder / "input.json", folder / "output.json"
    asked.write_text(json.dumps(question), encoding="utf-8")
    env = processes.environment(
        folder, PYTHONPATH=str(REPOSITORY), MLFLOW_TRACKING_URI=server.address,
        MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true",
    )  # fmt: skip
    done = processes.run(
        sys.executable, "-m", "mlflow", "models", "predict", "-m", uri,
        "--env-manager", "local", "-i", asked, "-o", answered, cwd=folder, env=env,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(answered.read_text(encoding="utf-8"))["predictions"]


def test_a_federated_job_goes_from_a_registered_model_to_the_next_version(
    mlflow_server: MlflowServer, tmp_path: Path
) -> None:
    """Irises: registered model in, run, new version out, and MLflow answers as Glean does."""
    first = simulate_iris(tmp_path / "a", mlflow_server, "irises")
    second = simulate_iris(
        tmp_path / "b", mlflow_server, "irises", "--set", "start-from=models:/irises@candidate"
    )
    facts = json.loads((second / "run.json").read_text())
    began_with = Path(facts["settings"]["start-from"])
    assert began_with.read_bytes() == (first / "model.npz").read_bytes()

    client = mlflow_server.client()
    versions = {int(v.version): v for v in client.search_model_versions("name = 'irises'")}
    assert {n: v.tags["glean.run_id"] for n, v in versions.items()} == {
        1: first.name.rpartition("-")[2],
        2: second.name.rpartition("-")[2],
    }
    assert client.get_model_version_by_alias("irises", "candidate").version == "2"
    logged = client.get_run(versions[2].run_id)
    assert logged.info.status == "FINISHED"
    assert logged.data.tags["glean.started_from"] == "models:/irises/1"
    assert logged.data.params["num-server-rounds"] == "2"
    assert not {"output-dir", "start-from"} & logged.data.params.keys()
    history = client.get_metric_history(logged.info.run_id, "validation_log_loss")
    rounds = pd.read_csv(second / "rounds.csv")
    assert [m.value for m in sorted(history, key=lambda m: m.step)] == list(rounds["log_loss"])

    question = {"dataframe_split": {"columns": list(LENGTHS), "data": FLOWERS}}
    answered = pd.DataFrame(predict(mlflow_server, "models:/irises/2", question, tmp_path))
    expected = classify(IRIS.read((second / "model.npz").read_bytes()), np.array(FLOWERS))
    np.testing.assert_array_equal(answered[list(SPECIES)].to_numpy(), expected)
    assert list(answered["species"]) == [SPECIES[k] for k in expected.argmax(axis=1)]


def test_mlflow_forecasts_as_glean_does(
    mlflow_server: MlflowServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Demand: from a registered model to the next version; its forecast is `glean forecast`'s."""
    monkeypatch.chdir(tmp_path)
    sales = random_table(bakeries=2, days=150)
    sales.rows.to_csv("two.csv", index=False)
    where = ("--mlflow", mlflow_server.address, "--registered-model", "demand")
    for words in ((), ("--set", "start-from=models:/demand/1")):
        done = simulate("--sales", "two.csv", "--out", "results", *where, *words)
        assert done.exit_code == 0, done.output
    mine = sales.of("bakery 1").rows.assign(date=lambda rows: rows["date"].astype(str))
    mine.to_csv("mine.csv", index=False)
    made = glean(
        "forecast", "--model", "results/latest", "--sales", "mine.csv", "--days", "5",
        "--region", "DE-SH", "--out", "forecast.csv",
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    expected = pd.read_csv("forecast.csv", keep_default_na=False)
    question = {
        "dataframe_split": mine.to_dict("split", index=False),
        "params": {"days": 5, "region": "DE-SH"},
    }
    answered = pd.DataFrame(predict(mlflow_server, "models:/demand/2", question, tmp_path))
    pd.testing.assert_frame_equal(answered, expected)
    assert {f"q_{q:g}" for q in QUANTILES} == {n for n in map(str, expected) if n[:2] == "q_"}


def test_the_table_of_a_simulation_stays_here(mlflow_server: MlflowServer, tmp_path: Path) -> None:
    """Of a run on somebody's sales no file with single days goes to the registry."""
    random_table(bakeries=2, days=150).rows.to_csv(tmp_path / "two.csv", index=False)
    where = ("--mlflow", mlflow_server.address, "--registered-model", "kept")
    done = simulate("--sales", tmp_path / "two.csv", "--out", tmp_path / "results", *where)
    assert done.exit_code == 0, done.output
    client = mlflow_server.client()
    (version,) = client.search_model_versions("name = 'kept'")
    stored = {path.path for path in client.list_artifacts(version.run_id, "results")}
    assert stored == {
        "results/rounds.csv",
        "results/model_card.json",
        "results/model_card.md",
    }
    everything = list((mlflow_server.folder / "artifacts").rglob(f"{version.run_id}/**/*"))
    assert everything
    for path in everything:
        if path.is_file():
            assert str(tmp_path).encode() not in path.read_bytes(), path


def test_a_registry_that_is_down_never_stops_a_run(
    mlflow_server: MlflowServer, iris_results: Path, tmp_path: Path
) -> None:
    """Killed: the run completes and says what wasn't sent; sent later, each thing is there once."""
    mlflow_server.kill()
    done = glean(
        "simulate", "--engine", "inprocess", "--bakeries", "3", "--out", tmp_path / "results",
        "--set", "workload=iris", "--set", "num-server-rounds=2",
        "--mlflow", mlflow_server.address, "--registered-model", "late",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "doesn't answer" in done.output
    assert "glean registry send" in done.output
    shutil.copytree(next(iris_results.glob("2*")), tmp_path / "results" / "20260101T000000Z-1")
    send = ["registry", "send", "--results", str(tmp_path / "results")]
    send += ["--mlflow", mlflow_server.address, "--registered-model", "late"]
    assert glean(*send).exit_code == 1
    mlflow_server.start()
    for _ in range(2):
        sent = glean(*send)
        assert sent.exit_code == 0, sent.output
    versions = mlflow_server.client().search_model_versions("name = 'late'")
    numbers = {int(v.version): v.tags["glean.run_id"] for v in versions}
    latest = (tmp_path / "results" / "latest").resolve().name.rpartition("-")[2]
    assert numbers == {1: "1", 2: latest}, "in the order of the runs"
