"""The server of a deployment dies with its SuperLink; restarted, one word continues the run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pandas as pd
import pytest

from glean.runs.folder import read_events
from glean.settings import ConfigValue
from tests.deployment import deployment
from tests.inprocess_runs import config_of, facts_of
from tests.inprocess_runs import run as run_here
from tests.processes import BIN, run, wait_until
from tests.tables import random_table

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.usefixtures("nothing_left")]

SETTINGS: dict[str, ConfigValue] = {
    "num-server-rounds": 4,
    "subsample": 0.7,
    "min-available-bakeries": 3,
}


@pytest.fixture
def tables(tmp_path: Path) -> dict[str, Path]:
    """A table of its own for each of three bakeries."""
    rows = random_table(bakeries=3).rows
    found = {}
    for name, mine in rows.groupby("bakery"):
        found[str(name)] = tmp_path / f"{name}.csv"
        mine.drop(columns="bakery").to_csv(found[str(name)], index=False)
    return found


def rounds_finished(latest: Path) -> list[int]:
    events = read_events(latest / "events.jsonl")
    return [event["round"] for event in events if event["event"] == "round_finished"]


@pytest.mark.timeout(600)
def test_the_server_is_killed_and_the_resumed_run_makes_the_same_model(
    tmp_path: Path, tables: dict[str, Path], three_bakeries: str
) -> None:
    """It had gone on from an earlier model, and is killed with SIGKILL in round 3 of 4.

    The reference is a run with the same tables in this process, which was never interrupted.
    """
    earlier = run_here(tmp_path / "earlier", config_of(three_bakeries, test_days=40))
    start = {"start-from": str(earlier / "model.ubj")}
    config = config_of("") | SETTINGS | start
    nodes: list[dict[str, ConfigValue]] = [
        {"sales": str(path), "bakery": name} for name, path in tables.items()
    ]
    wanted = run_here(tmp_path / "wanted", config, nodes=nodes)
    latest = tmp_path / "out" / "latest"
    given = config | {"output-dir": str(latest.parent)}
    words = [word for key, value in given.items() for word in ("--set", f"{key}={value}")]
    with deployment(tmp_path / "deployed", tables) as deployed:
        command = (str(BIN / "glean"), "run", deployed.connection)
        with subprocess.Popen(
            [*command, *words],
            cwd=tmp_path,
            env=deployed.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as first:
            wait_until(lambda: 2 in rounds_finished(latest), "two rounds", limit_s=240)
            deployed.kill_server()
            _, told = first.communicate(timeout=90)
        assert first.returncode == 1, told
        old = latest.resolve()
        assert facts_of(old)["status"] == "running"
        deployed.restart_server()
        done = run(*command, "--resume", old, cwd=tmp_path, env=deployed.environment, limit_s=240)
        assert done.returncode == 0, done.stdout + done.stderr + deployed.superlink_log
        new = latest.resolve()
        homes = [deployed.home(name) / "model.ubj" for name in tables]
        kept = {path.read_bytes() for path in homes}
    assert facts_of(new)["resumed_round"] in (2, 3)
    assert rounds_finished(new) == [0, 1, 2, 3, 4]
    for name in ("model.ubj", "bakeries.csv", "bakery_rounds.csv"):
        assert (new / name).read_bytes() == (wanted / name).read_bytes(), name
    assert kept == {(wanted / "model.ubj").read_bytes()}
    methods = pd.read_csv(new / "bakeries.csv").groupby("bakery")["method"].agg(list)
    assert methods.tolist() == [["federated", "start-from"]] * 3
