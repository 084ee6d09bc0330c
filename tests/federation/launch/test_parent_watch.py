"""A ServerApp doesn't outlive its SuperLink, and says in its folder what happened."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from glean.federation.launch.parent_watch import flower_parents
from glean.runs.process_tree import runs

WAIT = "import sys; sys.stdin.read()"
SERVER_APP = """
import sys, pathlib
from glean.federation.launch.parent_watch import ended_with_superlink
said = pathlib.Path(sys.argv[-1])
with ended_with_superlink(lambda: said.write_text("orphaned"), grace_s=0.1):
    print("begun", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def superlink() -> Iterator[subprocess.Popen[str]]:
    """A process that stands for a SuperLink, and isn't buried before the end of the test."""
    with started(WAIT) as process:
        yield process
        process.kill()


def started(code: str, *words: str | Path | int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.usefixtures("nothing_left")
def test_a_server_app_ends_with_its_superlink(
    superlink: subprocess.Popen[str], tmp_path: Path
) -> None:
    """Also where Flower's process in between lives on, and the SuperLink has become a zombie."""
    with started(WAIT, "--parent-pid", superlink.pid) as between:
        with started(SERVER_APP, "--parent-pid", between.pid, tmp_path / "said") as app:
            assert app.stdout is not None
            assert app.stdout.readline() == "begun\n"
            superlink.kill()
            assert app.wait(timeout=60) != 0
        assert (tmp_path / "said").read_text() == "orphaned"
        assert runs(psutil.Process(between.pid))
        between.kill()


@pytest.mark.usefixtures("nothing_left")
def test_a_server_app_whose_superlink_lives_is_left_alone(
    superlink: subprocess.Popen[str], tmp_path: Path
) -> None:
    """It ends by itself, and says nothing."""
    with started(SERVER_APP, "--parent-pid", superlink.pid, tmp_path / "said") as app:
        said, _ = app.communicate("", timeout=60)
    assert (app.returncode, said) == (0, "begun\n")
    assert not (tmp_path / "said").exists()


def test_a_process_that_nobody_told_of_parents_has_none() -> None:
    """As one that was started by hand; a number that is no process's is passed over."""
    assert flower_parents(["flwr-serverapp"]) == []
    assert flower_parents(["flwr-serverapp", "--parent-pid"]) == []
    assert flower_parents(["flwr-serverapp", "--parent-pid", str(2**22 + 1)]) == []
