"""Registered model in, federated job on the queue, new version out, and MLflow answers by it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from glean.iris.species import LENGTHS, SPECIES, classify
from glean.iris.workload import IRIS
from tests import processes
from tests.cli.typed_commands import glean
from tests.postgres import Cluster
from tests.registry.test_with_mlflow import FLOWERS, predict
from tests.tables import random_table
from tests.whole_platform import Platform, running_platform

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

IRISES = {"workload": "iris", "num-server-rounds": 3}
DEMAND = {"num-server-rounds": 3, "baselines": False}
DAYS = 5


@pytest.fixture
def platform(tmp_path: Path, own_postgres: Cluster) -> Iterator[Platform]:
    """PostgreSQL, RabbitMQ, MLflow, a service and two workers."""
    with running_platform(tmp_path, own_postgres) as found:
        yield found


def test_jobs_go_from_a_registered_model_to_the_next_version(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Irises first, then the demand; each answer of MLflow is Glean's own."""
    _job(platform, IRISES, version=1)
    run = _job(platform, {**IRISES, "start-from": "models:/glean/1"}, version=2)
    question: dict[str, Any] = {"dataframe_split": {"columns": list(LENGTHS), "data": FLOWERS}}
    answered = pd.DataFrame(predict(platform.registry, "models:/glean/2", question, run.parent))
    expected = classify(IRIS.read((run / "model.npz").read_bytes()), np.array(FLOWERS))
    np.testing.assert_array_equal(answered[list(SPECIES)].to_numpy(), expected)

    _job(platform, DEMAND, version=3)
    run = _job(platform, {**DEMAND, "start-from": "models:/glean@candidate"}, version=4)
    monkeypatch.chdir(platform.folder)
    random_table(bakeries=1, days=150).rows.to_csv("mine.csv", index=False)
    made = glean(
        "forecast", "--model", run, "--sales", "mine.csv", "--days", str(DAYS), "--out", "own.csv"
    )
    assert made.exit_code == 0, made.output
    mine = pd.read_csv("mine.csv", keep_default_na=False)
    question = {"dataframe_split": mine.to_dict("split", index=False), "params": {"days": DAYS}}
    answered = pd.DataFrame(predict(platform.registry, "models:/glean/4", question, run.parent))
    pd.testing.assert_frame_equal(answered, pd.read_csv("own.csv", keep_default_na=False))


def _job(platform: Platform, settings: dict[str, Any], *, version: int) -> Path:
    """Have a worker run a job, and wait until its model is a version; the run's folder."""
    body = {"engine": "inprocess", "bakeries": 3, "settings": settings}
    run_id = platform.service.ask(f"job-{version}", body)

    def run() -> Any:
        return platform.service.get(f"runs/{run_id}") or {"status": ""}

    processes.wait_until(
        lambda: run()["status"] in ("completed", "failed"), "the job ends", limit_s=180
    )
    found = run()
    assert (found["status"], found["reason"]) == ("completed", "")
    assert found["worker"]
    folder = next((platform.folder / "results").glob(f"*-{found['flower_id']}"))
    began_with = json.loads((folder / "run.json").read_text())["settings"].get("start-from", "")
    assert bool(began_with) == ("start-from" in settings)
    client = platform.registry.client()

    def registered() -> bool:
        versions = client.search_model_versions("name = 'glean'")
        made_by = {int(one.version): one.tags["glean.run_id"] for one in versions}
        return bool(made_by.get(version) == found["flower_id"])

    processes.wait_until(registered, f"version {version} is there", limit_s=120)
    return folder
