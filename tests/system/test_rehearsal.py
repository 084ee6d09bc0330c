"""`glean rehearse`: a federation comes up, runs and goes; Ctrl-C in the middle leaves nothing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import processes
from tests.processes import REPOSITORY, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(420),
    pytest.mark.usefixtures("nothing_left"),
]

LIMIT_S = 300.0


@contextmanager
def rehearsing(folder: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """`glean rehearse` with its temporary folder in a folder of the test, and its log beside."""
    scratch = folder / "scratch"
    scratch.mkdir()
    env = processes.environment(folder / "flower", TMPDIR=str(scratch), PYTHONPATH=str(REPOSITORY))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "glean", "rehearse", "--bakeries", "3", "--rounds", "1", *words],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)


def test_a_federation_is_rehearsed(tmp_path: Path) -> None:
    """Three shops with their pages join and a run completes; then nothing of it is left."""
    with rehearsing(tmp_path) as process:
        code = process.wait(LIMIT_S)
        said = (tmp_path / "log").read_text(encoding="utf-8")
    assert code == 0, said
    assert len(re.findall(r" has joined: \d of 3 are there", said)) == 3
    assert re.search(r"The run completed, \d+ s after .* Off by [\d.]+%", said)
    assert said.count(": joined\n") == 3
    assert said.endswith("All of it was taken down.\n")
    assert list((tmp_path / "scratch").glob("glean-rehearsal-*")) == []


@pytest.mark.parametrize("moment", ["The service is up", "has joined: 2", "A run begins"])
def test_ctrl_c_in_the_middle_leaves_nothing(tmp_path: Path, moment: str) -> None:
    """Neither a process nor the folder."""
    log = tmp_path / "log"
    with rehearsing(tmp_path, "--no-pages") as process:
        wait_until(
            lambda: moment in log.read_text(encoding="utf-8") or process.poll() is not None,
            moment,
            limit_s=LIMIT_S,
        )
        os.kill(process.pid, signal.SIGINT)
        code = process.wait(90)
    said = log.read_text(encoding="utf-8")
    assert code == 130, said
    assert "All of it was taken down." in said
    assert list((tmp_path / "scratch").glob("glean-rehearsal-*")) == []
