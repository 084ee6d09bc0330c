"""On Ray, as a user runs it: the server is killed in round 7 of 20, and one word continues."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from glean.cli.app import app
from tests import processes
from tests.inprocess_runs import facts_of
from tests.processes import BIN, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.usefixtures("nothing_left")]

ROUNDS = 20
SETTINGS = {
    "num-server-rounds": str(ROUNDS),
    "subsample": "0.6",
    "test-days": "14",
    "baselines": "false",
}


def rounds_done(run: Path) -> int:
    path = run / "rounds.csv"
    return len(path.read_text(encoding="utf-8").splitlines()) - 1 if path.exists() else 0


def server() -> psutil.Process:
    """The process in which Flower runs the ServerApp of a simulation."""
    (found,) = [
        process
        for process in processes.descendants()
        if any(Path(word).name == "flwr-simulation" for word in process.cmdline()[:2])
    ]
    return found


@contextmanager
def typed(*words: str | Path, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """A command that runs while the body does."""
    with subprocess.Popen(
        [str(word) for word in words],
        cwd=cwd,
        env=processes.environment(cwd / "flower"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_the_server_is_killed_and_the_resumed_run_makes_the_same_model(
    tmp_path: Path, three_bakeries: str
) -> None:
    """The command sees it soon and fails; the reference is a run in this process, uninterrupted."""
    settings = [word for pair in SETTINGS.items() for word in ("--set", "=".join(pair))]
    drawn = ["--sales", three_bakeries, *settings]
    latest = tmp_path / "out" / "latest"
    with typed(BIN / "glean", "simulate", *drawn, "--out", latest.parent, cwd=tmp_path) as glean:
        wait_until(lambda: rounds_done(latest) >= 6, "six rounds")
        server().kill()
        _, told = glean.communicate(timeout=40)
    assert glean.returncode == 1, told
    assert "the run failed: Flower ended the run before it finished" in told
    old = latest.resolve()
    assert facts_of(old)["status"] == "failed"
    done = rounds_done(old)
    assert 6 <= done < ROUNDS
    env = processes.environment(tmp_path / "flower")
    again = processes.run(BIN / "glean", "simulate", "--resume", old, cwd=tmp_path, env=env)
    assert again.returncode == 0, again.stderr
    assert f"continues {old} after round {done}" in again.stderr
    new = latest.resolve()
    assert (facts_of(new)["engine"], facts_of(new)["resumed_round"]) == ("ray", done)
    here = ["simulate", "--engine", "inprocess", *drawn, "--out", str(tmp_path / "whole")]
    whole = CliRunner().invoke(app, here)
    assert whole.exit_code == 0, whole.output
    wanted = (tmp_path / "whole" / "latest").resolve()
    for name in ("model.ubj", "bakeries.csv", "bakery_rounds.csv"):
        assert (new / name).read_bytes() == (wanted / name).read_bytes(), name


HOLDS_A_SUPERLINK = """
import sys, time
from pathlib import Path
from glean.federation.launch.superlink import local_superlink
with local_superlink(Path(sys.argv[1])):
    print("there", flush=True)
    time.sleep(600)
"""


def test_a_superlink_does_not_outlive_a_killed_glean(tmp_path: Path) -> None:
    """After `kill -9`, on which nobody can act, it and all it started end within seconds."""
    before = processes.descendants()
    with typed(sys.executable, "-c", HOLDS_A_SUPERLINK, tmp_path / "home", cwd=tmp_path) as glean:
        assert glean.stdout is not None
        assert glean.stdout.readline() == "there\n"
        names = [" ".join(process.cmdline()) for process in processes.descendants()]
        assert any("flower-superlink" in name for name in names)
        glean.kill()
        assert glean.wait(timeout=10) == -signal.SIGKILL
        assert processes.survivors(before) == []
