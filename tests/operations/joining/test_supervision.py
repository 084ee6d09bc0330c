"""Two processes are kept going: restarted with growing pauses, ended with who started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from glean.operations.joining import supervision
from glean.operations.joining.joined_home import JoinedHome
from glean.operations.joining.node_status import NodeStatus, read_standing
from glean.operations.joining.supervision import (
    LONGEST_PAUSE_S,
    SHORTEST_PAUSE_S,
    STEADY_S,
    AtWorkError,
    Supervised,
    home_alone,
    last_line,
    stop_supervisor,
    supervise,
)
from glean.runs.folder import write_whole
from glean.runs.process_tree import runs
from tests.processes import wait_until

SLEEPS = [sys.executable, "-c", "import time; time.sleep(300)"]


class Clock:
    """The time, to be set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def ended(child: Supervised) -> str:
    """Look until the process has ended; what was said."""
    found = ""

    def look() -> bool:
        nonlocal found
        found = child.look()
        return bool(found)

    wait_until(look, "its end", limit_s=30)
    return found


def test_a_process_that_ends_comes_back_later_and_later(tmp_path: Path) -> None:
    """Told with its last line; after a steady while the pauses begin anew."""
    clock = Clock()
    child = Supervised(
        "node", [sys.executable, "-c", "print(1 / 0)"], tmp_path / "log", clock=clock
    )
    child.look()
    said = ended(child)
    assert f"started again in {SHORTEST_PAUSE_S:.0f} s" in said
    assert last_line(tmp_path / "log") in said
    child.look()
    assert child.process is None  # not yet
    clock.now += SHORTEST_PAUSE_S
    child.look()
    assert f"again in {2 * SHORTEST_PAUSE_S:.0f} s" in ended(child)
    for _ in range(10):
        child._ended(1)
    assert child._pause_s == LONGEST_PAUSE_S
    clock.now += LONGEST_PAUSE_S
    child.look()
    clock.now += STEADY_S
    assert f"again in {SHORTEST_PAUSE_S:.0f} s" in ended(child)
    child.end()


def test_a_config_that_is_changed_is_read_anew(tmp_path: Path) -> None:
    """What was typed beside it counts at once: the process is started again, and once."""
    config = tmp_path / "bakery.toml"
    config.write_text("before")
    child = Supervised("node", SLEEPS, tmp_path / "log", reads=config)
    try:
        child.look()
        assert child.process is not None
        first = child.process.pid
        assert child.look() == ""
        write_whole(config, b"now")
        assert "as bakery.toml was changed" in child.look()
        assert child.process.pid != first
        assert not psutil.pid_exists(first)
        assert child.look() == ""
    finally:
        child.end()


def test_interrupted_it_ends_both(tmp_path: Path) -> None:
    """And nothing that it started is left."""
    children = [Supervised(name, SLEEPS, tmp_path / name) for name in "ab"]
    pids: set[int] = set()

    def interrupt(_seconds: float) -> None:
        pids.update(child.process.pid for child in children if child.process)
        if len(pids) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        supervise(children, tell=lambda _: None, sleep=interrupt)
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert all(child.process is None for child in children)


def test_killed_it_takes_both_with_it(tmp_path: Path) -> None:
    """`kill -9` of who supervises: nobody stays behind."""
    code = (
        "import time; from pathlib import Path\n"
        "from glean.operations.joining.supervision import Supervised\n"
        f"child = Supervised('x', {SLEEPS!r}, Path({str(tmp_path / 'log')!r}))\n"
        "child.look(); print(child.process.pid, flush=True); time.sleep(300)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        child = psutil.Process(pid)
        os.kill(parent.pid, signal.SIGKILL)
    wait_until(lambda: not runs(child), "the end of what it started", limit_s=30)


def test_only_one_supervises_a_home(tmp_path: Path) -> None:
    """The second is told so; the first can be stopped, and one that is gone needn't be."""
    home = JoinedHome(tmp_path)
    assert not stop_supervisor(home)
    code = (
        "import time; from pathlib import Path\n"
        "from glean.operations.joining.joined_home import JoinedHome\n"
        "from glean.operations.joining.supervision import home_alone\n"
        f"with home_alone(JoinedHome(Path({str(tmp_path)!r}))):\n"
        "    print('there', flush=True); time.sleep(300)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "there\n"
        with pytest.raises(AtWorkError, match="at work there already"), home_alone(home):
            pass
        assert stop_supervisor(home)
    with home_alone(home):
        pass
    assert not stop_supervisor(JoinedHome(tmp_path / "elsewhere"))


def test_a_log_is_turned_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One earlier part is kept."""
    log = tmp_path / "log"
    log.write_text("much\n" * 10)
    monkeypatch.setattr(supervision, "_MOST_LOG_BYTES", 20)
    supervision._turn_over(log)
    assert not log.exists()
    assert (tmp_path / "log.1").read_text().startswith("much")
    assert last_line(log) == ""


def test_a_node_tells_how_it_stands(tmp_path: Path) -> None:
    """Since when, and why; a file that is none, and a process that is gone, is stopped."""
    assert read_standing(tmp_path).state == "stopped"
    status = NodeStatus(tmp_path)
    status.write("waiting", "nobody answers")
    first = read_standing(tmp_path)
    status.write("waiting", "still nobody")
    assert (read_standing(tmp_path).since, read_standing(tmp_path).text) == (
        first.since,
        "still nobody",
    )
    path = tmp_path / "join-status.json"
    path.write_text(path.read_text().replace(f'"pid": {os.getpid()}', '"pid": 1'))
    assert read_standing(tmp_path).state == "stopped"
    path.write_text("[]")
    assert read_standing(tmp_path).state == "stopped"
