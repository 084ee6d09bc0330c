"""`glean serve` as a process while its PostgreSQL is killed and brought back."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tests.postgres import Cluster
from tests.processes import wait_until
from tests.service.served import serving

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_postgres", "nothing_left")]


ROUNDS = 200
"""More than pass while the service finds out that its database doesn't answer."""


def test_a_run_goes_on_while_its_database_is_gone(own_postgres: Cluster, tmp_path: Path) -> None:
    """What is true is said meanwhile and after; the run is complete, and the token good."""
    url = own_postgres.url()
    with serving(tmp_path, env={"GLEAN_DATABASE": url}) as served:
        quick = {"num-server-rounds": ROUNDS, "max-depth": 2, "baselines": False}
        run_id = served.ask(**quick)
        served.wait(run_id, "running", rounds=1)
        own_postgres.kill()
        ready = served.http.get("/readyz")
        assert (ready.status_code, ready.json()["ready"]) == (503, False)
        assert "can't be reached" in ready.json()["database"]
        assert served.http.get(f"/api/v1/runs/{run_id}").status_code == 503
        folder = next((tmp_path / "results").glob("2*"))
        before = (folder / "events.jsonl").stat().st_size
        wait_until(
            lambda: (folder / "events.jsonl").stat().st_size > before, "the run goes on", limit_s=60
        )
        own_postgres.start()
        assert served.http.get("/readyz").status_code == 200
        found = served.wait(run_id, "completed")
        assert found["rounds_done"] == ROUNDS
        kept = served.http.get("/api/v1/tokens").json()["tokens"]
        assert len(kept) == 1
        command = psutil.Process(served.process.pid).cmdline()
        assert own_postgres.password not in " ".join(command)
        own_postgres.stop()  # before what was left running is counted
