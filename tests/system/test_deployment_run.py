"""`glean run` on a deployment on this machine: TLS, three nodes, one of them killed and restarted.

Each message to a node is a process of its own, of six seconds; so the rounds are few.
With GLEAN_TABLES each node has a branch of the German chain, otherwise a made-up bakery.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from glean.cli.app import app
from glean.forecasting.model_source import find_model
from glean.privacy.model_key import ModelKey
from tests.deployment import Deployment, deployment
from tests.processes import BIN, REPOSITORY, wait_until
from tests.tables import random_table

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

LIMIT_S = 240.0

NAMES = ("Markt", "Hafen", "Süd")
KILLED = "Hafen"
QUICK = {
    "num-server-rounds": 3,
    # Whoever was killed is waited for before the last round.
    "min-available-bakeries": 3,
    "max-depth": 4,
    "baselines": "false",
    # Each exchange takes seconds here; steps and masks have `test_deployment_sums.py`.
    "leaf-values": "scaled",
    "secure-sums": "false",
    "privacy": "sums",
}


@dataclass(frozen=True)
class Interrupted:
    """What `glean run` said of the run in which a node was killed, and what it left."""

    said: str
    code: int
    folder: Path


def chain(folder: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """The German chain by the documented command; made-up sales where the tables aren't there."""
    if not os.environ.get("GLEAN_TABLES"):
        return random_table(bakeries=3).rows
    page = (REPOSITORY / "docs" / "sales-tables.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^glean (data import .* chain\.csv)$", page, re.MULTILINE)
    monkeypatch.chdir(folder)
    result = CliRunner().invoke(app, shlex.split(os.path.expandvars(command)))
    assert result.exit_code == 0, result.output
    return pd.read_csv(folder / "chain.csv", dtype={"bakery": str})


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Three bakeries, each with a table of its own, are registered; none is there yet."""
    folder = tmp_path_factory.mktemp("shops")
    with pytest.MonkeyPatch.context() as monkeypatch:
        whole = chain(folder, monkeypatch)
    tables = {}
    for name, (_, rows) in zip(NAMES, whole.groupby("bakery"), strict=True):
        tables[name] = folder / f"{name}.csv"
        rows.drop(columns="bakery").to_csv(tables[name], index=False)
    shops = tmp_path_factory.mktemp("deployed")
    with deployment(shops, tables, absent=NAMES, signs=True) as found:
        yield found


def glean_run(deployed: Deployment, settings: dict[str, Any]) -> subprocess.Popen[str]:
    """Start `glean run` with settings; what it says comes in one stream."""
    words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    return subprocess.Popen(
        [BIN / "glean", "run", deployed.connection, *words],
        cwd=deployed.folder,
        env=deployed.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )


def events_in(results: Path) -> list[dict[str, Any]]:
    """The events of the run in a folder of results, so far."""
    lines = [
        line
        for path in results.glob("*-*/events.jsonl")
        for line in path.read_text(encoding="utf-8").splitlines(keepends=True)
    ]
    return [json.loads(line) for line in lines if line.endswith("\n")]


def await_event(process: subprocess.Popen[str], results: Path, event: str, **facts: Any) -> None:
    """Wait until something has happened in a run that goes on."""

    def happened() -> bool:
        found = [e for e in events_in(results) if e["event"] == event]
        return any(all(e[k] == v for k, v in facts.items()) for e in found)

    wait_until(
        lambda: happened() or process.poll() is not None,
        f"{event} {facts}",
        limit_s=LIMIT_S,
    )
    if not happened():
        said, _ = process.communicate()
        raise AssertionError(f"ended before {event} {facts}: {said}")


@pytest.mark.long
@pytest.mark.usefixtures("ctrl_c_heard")
def test_ctrl_c_ends_the_following_and_not_the_run(deployed: Deployment, tmp_path: Path) -> None:
    """It says how to end the run, which goes on until that is done.

    The first of all, while no bakery is there that would be asked who it is.
    """
    process = glean_run(deployed, {"min-available-bakeries": 5, "output-dir": tmp_path})
    await_event(process, tmp_path, "waiting_for_bakeries")
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130, said
    found = re.search(r"^To end it: flwr (stop (\d+) \S+)$", said, re.MULTILINE)
    assert found, said
    listed = ("list", deployed.connection, "--run-id", found.group(2))
    assert "running" in deployed.flwr(*listed).stdout
    stopped = deployed.flwr(*found.group(1).split())
    assert stopped.returncode == 0, stopped.stdout + stopped.stderr
    assert "finished:stopped" in deployed.flwr(*listed).stdout


@pytest.fixture(scope="module")
def interrupted(deployed: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Interrupted:
    """A run of three rounds; in the second a node is killed, and started again once missed."""
    for name in NAMES:
        deployed.start_node(name)
    results = tmp_path_factory.mktemp("results")
    process = glean_run(deployed, {**QUICK, "output-dir": results})
    await_event(process, results, "round_finished", round=1)
    deployed.kill_node(KILLED)
    await_event(process, results, "bakery_missing", bakery=KILLED)
    deployed.start_node(KILLED)
    said, _ = process.communicate(timeout=LIMIT_S)
    folders = [path for path in results.iterdir() if not path.is_symlink()]
    assert len(folders) == 1, said
    return Interrupted(said, process.returncode, folders[0])


def test_the_run_completes_and_says_so(interrupted: Interrupted) -> None:
    """Exit code 0, the final table on the terminal, a complete folder, a report."""
    assert interrupted.code == 0, interrupted.said
    facts = json.loads((interrupted.folder / "run.json").read_text(encoding="utf-8"))
    assert (facts["status"], facts["engine"]) == ("completed", "deployment")
    assert facts["bakeries"] == sorted(NAMES)
    assert "Test days: lower is better" in interrupted.said
    assert f"report: {interrupted.folder / 'report.html'}" in interrupted.said
    assert (interrupted.folder / "report.html").stat().st_size > 10_000
    assert not (interrupted.folder / "forecasts.csv").exists()
    rounds = pd.read_csv(interrupted.folder / "rounds.csv")
    assert rounds["round"].tolist() == [1, 2, 3]
    assert rounds["replies"].tolist() == [3, 2, 3]
    assert rounds["wape"].notna().all()


def test_the_events_tell_who_was_missing_and_for_how_long(interrupted: Interrupted) -> None:
    """Killed in the second round, which the others finish; waited for before the third."""
    events = events_in(interrupted.folder.parent)
    missing = [e for e in events if e["event"] == "bakery_missing"]
    (back,) = (e for e in events if e["event"] == "bakery_returned")
    assert {e["bakery"] for e in [*missing, back]} == {KILLED}
    assert missing[0]["round"] == 2
    assert back["round"] == 3
    # The SuperLink gives a node up when its heartbeat, due every 30 s, has failed twice.
    assert 20.0 < missing[0]["seconds"] < 100.0
    assert back["seconds"] > missing[0]["seconds"]
    scored = pd.read_csv(interrupted.folder / "bakery_rounds.csv").groupby("round")["bakery"]
    by_round = scored.agg(set)
    assert by_round[1] == by_round[3] == set(NAMES)
    assert f"{KILLED} is missing; last heard of" in interrupted.said
    assert f"{KILLED} is back after" in interrupted.said
    tested = pd.read_csv(interrupted.folder / "bakeries.csv")
    assert set(tested["bakery"]) == set(NAMES)


def test_every_home_holds_the_model(deployed: Deployment, interrupted: Interrupted) -> None:
    """The same bytes as at the server, signed by it, with a note of where they come from."""
    key = ModelKey.read(deployed.certificates / "model-key.pub")
    model = (interrupted.folder / "model.ubj").read_bytes()
    for name in NAMES:
        home = deployed.home(name)
        assert find_model(home, key).content == model
        about = json.loads((home / "home.json").read_text(encoding="utf-8"))
        assert about["sha256"] == hashlib.sha256(model).hexdigest()
        assert about["bakery"] == name
        assert interrupted.folder.name.endswith(f"-{about['run']}")


def test_every_bakery_s_log_says_what_leaves_it(
    deployed: Deployment, interrupted: Interrupted
) -> None:
    """A line for each reply, in words; where its table is stays out of the server's log."""
    assert interrupted.code == 0
    for name in NAMES:
        lines = [line for line in deployed.node_log(name).splitlines() if line.startswith("glean:")]
        for number in (1, 3):
            words = f"to the server in round {number}: 1 new tree ("
            (told,) = (line for line in lines if words in line)
            assert "rounded to two digits, and that it learned on cpu; not: sales rows" in told
        assert any(f"kept at home: {deployed.home(name) / 'model.ubj'}" in line for line in lines)
        assert str(deployed.bakeries[name]) not in deployed.superlink_log


@pytest.mark.long
@pytest.mark.usefixtures("interrupted")
def test_a_run_that_fails_ends_with_1(deployed: Deployment, tmp_path: Path) -> None:
    """Three bakeries are there and five wanted: it waits for as long as it may, then says so."""
    settings = {"min-available-bakeries": 5, "round-timeout-s": 4, "output-dir": tmp_path}
    process = glean_run(deployed, settings)
    said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 1, said
    reason = r"[0-3] bakeries can take part after 4 s; min-available-bakeries wants 5.*"
    found = re.search(f"^the run failed: ({reason})$", said, re.MULTILINE)
    assert found, said
    (folder,) = (path for path in tmp_path.iterdir() if not path.is_symlink())
    facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert (facts["status"], facts["reason"]) == ("failed", found.group(1))
    assert f"its folder, at the server: {folder}" in said
