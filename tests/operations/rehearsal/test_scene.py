"""A rehearsal's processes: ended with all that they started, however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import psutil
import pytest
import typer.main

from glean.cli.app import app
from glean.errors import FederationError
from glean.operations.rehearsal import rehearsal_steps as steps
from glean.operations.rehearsal.rehearsal_steps import RehearsalStep
from glean.operations.rehearsal.scene import ELSEWHERE, MARK, scene_for
from glean.runs.process_tree import runs
from tests.processes import REPOSITORY, wait_until

pytestmark = pytest.mark.usefixtures("nothing_left")


def test_all_is_taken_down_at_the_end() -> None:
    """Processes, folder; and it is told."""
    told: list[RehearsalStep] = []
    with scene_for(told.append) as scene:
        folder = scene.folder
        # Any command that lasts does.
        process = scene.start("shop 1", ["serve", "--results", str(folder), "--port", "0"])
        wait_until(lambda: "serving" in process.printed(), "it serves")
        scene.check()
    assert not psutil.pid_exists(process.pid)
    assert not folder.exists()
    assert [step.text for step in told] == [steps.TAKEN_DOWN]


def test_one_that_ends_by_itself_is_named() -> None:
    """With what it printed."""
    with scene_for(lambda _: None) as scene:
        process = scene.start("shop 1", ["--version"])
        wait_until(lambda: not process.runs, "it ended")
        with pytest.raises(FederationError, match=r"shop 1 ended by itself; it printed:\n\d"):
            scene.check()


def test_an_operator_s_own_parts_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every place that the environment tells a service, worker or shop; and no log for machines."""
    commands = typer.main.get_command(app)
    assert isinstance(commands, click.Group)
    told = {
        str(option.envvar)
        for name in ("serve", "worker", "join", "invite")
        for option in commands.commands[name].params
        if option.envvar
    }
    assert told <= set(ELSEWHERE)
    for name in ELSEWHERE:
        monkeypatch.setenv(name, "somewhere")
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    with scene_for(lambda _: None) as scene:
        process = scene.start_program("one", [sys.executable, "-c", code])
        wait_until(lambda: not process.runs, "it ended")
        found = json.loads(process.printed())
    assert [found[name] for name in ELSEWHERE] == [""] * len(ELSEWHERE)


def is_alive(pid: int) -> bool:
    """Whether a process does anything; what is adopted here stays a zombie."""
    try:
        return runs(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return False


def test_what_lives_on_by_itself_is_ended_too() -> None:
    """A run's own process is in no session of its service, and outlives it by design."""
    with scene_for(lambda _: None) as scene:
        other = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(60)"],
            env={**os.environ, MARK: str(scene.folder)},
            start_new_session=True,
        )
        # The kernel shows an environment a moment after the program has begun.
        wait_until(lambda: MARK in psutil.Process(other.pid).environ(), "the mark", limit_s=10)
        stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    other.wait(10)
    untouched = stranger.poll() is None
    stranger.kill()
    stranger.wait()
    assert untouched


SCENE = """
import signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored, where the tests run behind &
from glean.operations.rehearsal.scene import scene_for
from glean.operations.signals import raised_as_interrupts
with raised_as_interrupts(), scene_for(lambda step: None) as scene:
    print(scene.folder, flush=True)
    for number in range(2):
        words = ["serve", "--results", str(scene.folder), "--port", "0"]
        print(scene.start(f"shop {number}", words).pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize(
    ("number", "lines"),
    [
        *((signal.SIGINT, lines) for lines in (1, 2, 3)),
        *((signal.SIGTERM, lines) for lines in (1, 2, 3)),
        (signal.SIGKILL, 3),
    ],
)
def test_a_signal_at_any_moment_leaves_nothing(number: signal.Signals, lines: int) -> None:
    """Before the first process, between two, after both; a kill leaves nothing but the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCENE],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        start_new_session=True,
    )
    assert process.stdout is not None
    seen = [process.stdout.readline().strip() for _ in range(lines)]
    os.kill(process.pid, number)
    rest = process.communicate(timeout=60)[0].split()
    pids = [int(pid) for pid in (*seen[1:], *rest)]
    wait_until(lambda: not any(is_alive(pid) for pid in pids), "all have ended", limit_s=60)
    folder = Path(seen[0])
    if number == signal.SIGKILL:
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        folder.rmdir()
    assert not folder.exists()
