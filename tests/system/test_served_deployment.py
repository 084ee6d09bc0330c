"""A deployment's run started, watched and stopped from the service: a SuperLink and three nodes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deployment import deployment
from tests.service.served import serving
from tests.tables import random_table

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

LIMIT_S = 300.0
NAMES = ("Markt", "Hafen", "Süd")
SETTINGS = {
    "num-server-rounds": 2,
    "min-available-bakeries": 3,
    "max-depth": 3,
    "baselines": False,
    # Each exchange takes seconds here.
    "leaf-values": "scaled",
    "secure-sums": False,
    "privacy": "sums",
}


@pytest.mark.usefixtures("nothing_left")
def test_a_run_on_a_superlink_is_started_watched_and_stopped(tmp_path: Path) -> None:
    """It completes with its folder here; another one is stopped at its SuperLink."""
    tables = {}
    for name, (_, rows) in zip(NAMES, random_table(bakeries=3).rows.groupby("bakery"), strict=True):
        tables[name] = tmp_path / f"{name}.csv"
        rows.drop(columns="bakery").to_csv(tables[name], index=False)
    with deployment(tmp_path / "deployed", tables) as deployed, serving(deployed.folder) as served:
        body = {"engine": "deployment", "connection": deployed.connection, "settings": SETTINGS}
        run_id = served.http.post("/api/v1/runs", json=body).json()["id"]
        found = served.wait(run_id, "completed", "failed", limit_s=LIMIT_S)
        assert (found["status"], found["rounds_done"], found["bakeries"]) == ("completed", 2, 3), (
            found["reason"]
        )
        events = served.http.get(f"/api/v1/runs/{run_id}/events").json()["events"]
        (began,) = (e["event"] for e in events if e["event"]["event"] == "run_started")
        assert began["bakeries"] == sorted(NAMES)
        body["settings"] = SETTINGS | {"num-server-rounds": 500}
        endless = served.http.post("/api/v1/runs", json=body).json()["id"]
        served.wait(endless, "running", rounds=1, limit_s=LIMIT_S)
        stopped = served.http.post(f"/api/v1/runs/{endless}/stop", timeout=120).json()
        number = stopped["flower_id"]
        assert "finished:stopped" in deployed.flwr("list", "--run-id", number, "deployed").stdout
        assert served.wait(endless, "failed", limit_s=LIMIT_S)["reason"]
