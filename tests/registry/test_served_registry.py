"""A service with a real registry, which is killed in the middle and comes back."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.cli.typed_commands import QUICK
from tests.mlflow_server import MlflowServer
from tests.processes import wait_until
from tests.service.served import Served, serving

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

MODEL = "served"


def versions(server: MlflowServer) -> list[str]:
    """Glean's runs behind the versions, by number."""
    found = server.client().search_model_versions(f"name = '{MODEL}'")
    return [v.tags["glean.run_id"] for v in sorted(found, key=lambda v: int(v.version))]


def in_production(server: MlflowServer) -> str:
    aliases = server.client().get_registered_model(MODEL).aliases
    return str(aliases.get("production", ""))


def registry_problem(served: Served) -> str:
    answer = served.http.get("/readyz")
    assert answer.status_code == 200, "a service without its registry is ready"
    return str(answer.json()["registry"])


def ask(served: Served, **changes: object) -> str:
    """Ask for a small run of the demand; keys with "_" for "-"."""
    given = {**QUICK, **{key.replace("_", "-"): value for key, value in changes.items()}}
    settings = {key: _typed(value) for key, value in given.items()}
    return served.ask(**settings)


def _typed(value: object) -> object:
    if not isinstance(value, str):
        return value
    return int(value) if value.isdecimal() else False if value == "false" else value


def test_registry_and_control_room_stay_of_one_mind_over_a_kill(
    mlflow_server: MlflowServer, tmp_path: Path
) -> None:
    """A run by REST from a registered model, the registry killed while it goes on: sent once."""
    where = ("--mlflow", mlflow_server.address, "--registered-model", MODEL)
    with serving(tmp_path, *where) as served:
        first = served.wait(ask(served), "completed")
        wait_until(lambda: versions(mlflow_server) == [first["flower_id"]], "version 1")
        promoted = served.http.post(f"/api/v1/models/{first['id']}/promote")
        assert promoted.status_code == 200, promoted.text
        wait_until(lambda: in_production(mlflow_server) == "1", "the alias follows")

        asked = ask(
            served, start_from=f"models:/{MODEL}@production", num_server_rounds=40,
            early_stopping_rounds=0,
        )  # fmt: skip
        served.wait(asked, "running", "completed", rounds=1)
        mlflow_server.kill()
        second = served.wait(asked, "completed")
        assert second["settings"]["start-from"].endswith(f"/{MODEL}/1/model.ubj")
        wait_until(lambda: bool(registry_problem(served)), "readyz says that it is away")
        mlflow_server.start()
        wait_until(
            lambda: versions(mlflow_server) == [first["flower_id"], second["flower_id"]],
            "version 2",
        )
        wait_until(lambda: not registry_problem(served), "readyz says that it is back")

        client = mlflow_server.client()
        (run,) = client.search_runs(
            [client.get_experiment_by_name("glean").experiment_id],
            f"tags.`glean.run_id` = '{second['flower_id']}'",
        )
        wait_until(
            lambda: client.get_run(run.info.run_id).info.status == "FINISHED", "its end is there"
        )
        assert run.data.tags["glean.started_from"] == f"models:/{MODEL}/1"
        history = client.get_metric_history(run.info.run_id, "validation_wape")
        (folder,) = (tmp_path / "results").glob(f"*-{second['flower_id']}")
        rounds = pd.read_csv(folder / "rounds.csv")
        assert [(m.step, m.value) for m in sorted(history, key=lambda m: m.step)] == list(
            zip(rounds["round"], rounds["wape"], strict=True)
        )

        client.set_registered_model_alias(MODEL, "production", "2")
        wait_until(
            lambda: served.http.get("/api/v1/models/production").json()["id"] == second["id"],
            "the control room follows",
        )
