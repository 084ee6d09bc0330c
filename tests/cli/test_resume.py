"""`glean simulate --resume RUN` as typed, after the process was killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pandas as pd
import pytest
from click.testing import Result
from typer.testing import CliRunner

from glean.cli.app import app
from glean.demand import conclusion
from tests import processes
from tests.inprocess_runs import config_of, cut_off, facts_of
from tests.processes import BIN, REPOSITORY

DRAWN = (
    "--set num-server-rounds=6 --set max-depth=3 --set test-days=14 --set baselines=false "
    "--set newcomer-fraction=0.34"
)

KILLED_IN_ROUND_4 = """
import os, signal, sys
import glean.client_app
from glean.cli.app import app
from glean.federation.wire.messages import Task
from glean.federation.wire.sum_messages import SumTask
from tests.federations import MeddledApp

def meddle(message, name, honest):
    form = {"train": Task, "train.sum": SumTask}.get(message.metadata.message_type)
    if form and name == "bakery 1":
        if form.from_record(message.content).round == 4:
            os.kill(os.getpid(), signal.SIGKILL)
    return honest()

glean.client_app.app = MeddledApp(meddle)
app(sys.argv[1:])
"""


def simulate(*words: str | Path) -> Result:
    typed = ["simulate", "--engine", "inprocess", *map(str, words)]
    return CliRunner().invoke(app, typed)


@pytest.mark.slow
def test_killed_in_round_4_of_6_and_resumed_the_model_is_the_same(
    tmp_path: Path, three_bakeries: str
) -> None:
    """By SIGKILL, while a bakery trains; then one word continues it, and the report is whole."""
    drawn = ("--sales", three_bakeries, *DRAWN.split())
    env = processes.environment(tmp_path / "flower", PYTHONPATH=str(REPOSITORY))
    typed = ["simulate", "--engine", "inprocess", *drawn, "--out", str(tmp_path / "killed")]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_IN_ROUND_4, *typed],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    old = (tmp_path / "killed" / "latest").resolve()
    assert facts_of(old)["status"] == "running"
    again = ("simulate", "--engine", "inprocess", "--resume", old)
    resumed = processes.run(BIN / "glean", *again, cwd=tmp_path, env=env)
    assert resumed.returncode == 0, resumed.stderr
    assert f"continues {old} after round 2" in resumed.stderr
    assert "round 4: validation WAPE" in resumed.stderr
    new = (tmp_path / "killed" / "latest").resolve()
    assert f"report: {new / 'report.html'}" in resumed.stdout
    with mock.patch.object(conclusion, "write_report"):  # drawing takes longer than the run
        whole = simulate(*drawn, "--out", tmp_path / "whole")
    assert whole.exit_code == 0, whole.output
    wanted = (tmp_path / "whole" / "latest").resolve()
    for name in ("model.ubj", "bakeries.csv", "bakery_rounds.csv", "forecasts.csv"):
        assert (new / name).read_bytes() == (wanted / name).read_bytes(), name
    assert pd.read_csv(new / "rounds.csv")["round"].tolist() == list(range(1, 7))
    assert facts_of(new)["newcomers"] == facts_of(wanted)["newcomers"] != []
    page = (new / "report.html").read_text(encoding="utf-8")
    assert f"{old}, after round 2" in page
    assert "in round 1, " in page


@pytest.fixture
def old(tmp_path: Path, three_bakeries: str) -> Path:
    """A run cut off in round 2 of 3."""
    config = config_of(three_bakeries, num_server_rounds=3, test_start="2023-04-10")
    return cut_off(tmp_path / "old results", config, round_number=2)


def test_everything_is_taken_from_the_old_run(old: Path, tmp_path: Path) -> None:
    """Bakeries, table and settings; results go beside the old ones unless another folder is named.

    What makes no difference to the model may be given anew; what is the same may be repeated.
    """
    done = simulate("--resume", old, "--set", "round-timeout-s=99", "--set", "max-depth=2")
    assert done.exit_code == 0, done.output
    new = (old.parent / "latest").resolve()
    facts = facts_of(new)
    assert (facts["resumed_from"], facts["resumed_round"]) == (str(old), 1)
    changed = {
        key: value
        for key, value in facts["settings"].items()
        if value != facts_of(old)["settings"][key]
    }
    assert changed == {"round-timeout-s": 99, "resume": str(old)}
    elsewhere = simulate("--resume", old, "--out", tmp_path / "elsewhere")
    assert elsewhere.exit_code == 0, elsewhere.output
    again = tmp_path / "elsewhere" / "latest" / "model.ubj"
    assert again.read_bytes() == (new / "model.ubj").read_bytes()


REFUSED = [
    (("--set", "max-depth=3"), "max-depth: found 3; the run to resume has 2"),
    (("--set", "aggregation=fedavg"), "aggregation: found 'fedavg'; the run to resume has 'bag"),
    (("--sales", "mine.csv"), "mine.csv'; the run to resume has '"),
    (("--bakeries", "2"), "--bakeries: found 2; the run to resume has 3"),
    (("--set", "seed=x"), "seed: found 'x'; wanted a whole number"),
]


@pytest.mark.parametrize(("words", "told"), REFUSED)
def test_what_differs_is_refused_by_name(words: tuple[str, ...], told: str, old: Path) -> None:
    """Before anything starts: exit code 2, and no folder is made."""
    before = sorted(old.parent.iterdir())
    refused = simulate("--resume", old, *words)
    assert refused.exit_code == 2, refused.output
    assert told in refused.stderr
    assert sorted(old.parent.iterdir()) == before


def test_a_damaged_model_is_told_at_the_terminal(old: Path) -> None:
    """Which file, and that the run begins anew."""
    path = old / "models" / "round_001.ubj"
    path.write_bytes(path.read_bytes()[:-9])
    done = simulate("--resume", old)
    assert done.exit_code == 0, done.output
    assert f"round 1 can't be continued: {path}: " in done.stderr
    assert f"begins anew: no round of {old} can be continued" in done.stderr
    assert facts_of((old.parent / "latest").resolve())["resumed_round"] is None
