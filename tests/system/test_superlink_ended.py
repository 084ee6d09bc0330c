"""A SuperLink is ended in the middle of a run: its ServerApp follows, and both ends are told."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psutil
import pytest

from glean.federation.launch.parent_watch import ORPHANED
from glean.runs.folder import read_events
from glean.runs.process_tree import runs
from tests.deployment import SERVER, deployment
from tests.inprocess_runs import facts_of
from tests.processes import BIN, wait_until
from tests.tables import random_table

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.usefixtures("nothing_left")]

ENDLESS = {
    "num-server-rounds": 200,
    "max-depth": 2,
    "leaf-values": "scaled",
    "secure-sums": "false",
    "privacy": "sums",
    "baselines": "false",
}


@pytest.fixture
def tables(tmp_path: Path) -> dict[str, Path]:
    """A table of its own for each of two bakeries."""
    found = {}
    for name, rows in random_table(bakeries=2).rows.groupby("bakery"):
        found[str(name)] = tmp_path / f"{name}.csv"
        rows.drop(columns="bakery").to_csv(found[str(name)], index=False)
    return found


@pytest.mark.timeout(600)
def test_a_server_app_ends_with_its_superlink(tmp_path: Path, tables: dict[str, Path]) -> None:
    """Though its own parent lives on; the run has failed, and who followed it reads what to do."""
    latest = tmp_path / "out" / "latest"
    settings = ENDLESS | {"output-dir": str(latest.parent)}
    words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    with deployment(tmp_path / "deployed", tables) as deployed:
        with subprocess.Popen(
            [str(BIN / "glean"), "run", deployed.connection, *words],
            cwd=tmp_path,
            env=deployed.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as following:
            wait_until(lambda: "round_finished" in kinds(latest), "a round", limit_s=240)
            server_app = psutil.Process(facts_of(latest)["process"]["pid"])
            deployed.running[SERVER].kill()
            wait_until(lambda: not runs(server_app), "the end of the ServerApp", limit_s=90)
            _, told = following.communicate(timeout=120)
        facts = facts_of(latest)
    assert facts["status"] == "failed"
    assert facts["reason"] == ORPHANED or facts["reason"].startswith("Flower ended it")
    assert following.returncode == 1
    assert "lost sight of the run" in told
    assert f"--resume {latest.resolve()}" in told


def kinds(run: Path) -> set[str]:
    """What has happened in a run so far."""
    return {str(event["event"]) for event in read_events(run / "events.jsonl")}
