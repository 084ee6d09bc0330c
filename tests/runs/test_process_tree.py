"""Ending a process with all that came of it, and letting Ctrl-C wait until that is done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from glean.runs import process_tree
from glean.runs.process_tree import end_tree, signals_held_back
from tests import processes

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and sessions are POSIX's")

# Three generations: the middle one opens a session and is killed; the last is deaf to SIGTERM.
LAST = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).touch()
time.sleep(60)
"""
MIDDLE = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", *sys.argv[1:3]])
time.sleep(60)
"""
FIRST = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", *sys.argv[1:4]], start_new_session=True)
time.sleep(60)
"""


@pytest.mark.usefixtures("nothing_left")
def test_an_orphan_deaf_to_sigterm_is_ended_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Ray leaves it: what started it is dead, and it has the session of a descendant."""
    monkeypatch.setattr(process_tree, "GRACE_S", 0.2)
    before = processes.descendants()
    there = tmp_path / "there"
    command = [sys.executable, "-c", FIRST, MIDDLE, LAST, str(there)]
    started = subprocess.Popen(command, start_new_session=True)
    root = psutil.Process(started.pid)
    processes.wait_until(there.exists, "the last process is there", limit_s=20.0)
    middle, last = root.children(recursive=True)
    assert last.ppid() == middle.pid
    assert os.getsid(last.pid) == middle.pid
    end_tree(root)
    assert started.wait(timeout=5.0) == -signal.SIGTERM
    assert not processes.survivors(before, limit_s=0.5)
    end_tree(root)


def test_an_orphan_of_a_dead_leader_is_found_by_its_session(tmp_path: Path) -> None:
    """The leader dies before anyone ends it; what shares its session goes all the same."""
    there = tmp_path / "there"
    started = subprocess.Popen(
        [sys.executable, "-c", MIDDLE, LAST, str(there)], start_new_session=True
    )
    root = psutil.Process(started.pid)
    processes.wait_until(there.exists, "the last process is there", limit_s=20.0)
    (last,) = root.children()
    root.kill()
    processes.wait_until(lambda: root.status() == psutil.STATUS_ZOMBIE, "the leader is dead")
    end_tree(root)
    processes.wait_until(
        lambda: not last.is_running() or last.status() == psutil.STATUS_ZOMBIE, "the orphan is dead"
    )
    started.wait()


def test_a_signal_waits_for_the_end_of_the_body() -> None:
    """Ctrl-C in the middle raises only once the body is through, and once."""
    steps: list[str] = []

    def body() -> None:
        with signals_held_back():
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            steps.append("through")

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            body()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert steps == ["through"]


def test_what_is_started_meanwhile_hears_signals() -> None:
    """A held signal isn't ignored or blocked in a process that the body starts."""
    with signals_held_back():
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    child.send_signal(signal.SIGTERM)
    assert child.wait(timeout=20.0) == -signal.SIGTERM
