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
from typing import Any

import httpx2
import pytest

from tests import processes
from tests.processes import REPOSITORY, wait_until
from tests.service.served import Served, serving

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


@pytest.mark.long
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


@pytest.mark.long
def test_a_rehearsal_is_started_and_ended_by_the_service(tmp_path: Path) -> None:
    """Shops included; its own control room opens by the token that is told, until it is ended."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with serving(tmp_path, env={"TMPDIR": str(scratch)}) as served:
        asked = {"bakeries": 3, "rounds": 1}
        assert served.http.post("/api/v1/rehearsal", json=asked).status_code == 202
        wait_until(
            lambda: bool((found := rehearsal_of(served))["error"]) or "Sign in" in text_of(found),
            "it is ready, or has failed",
            limit_s=LIMIT_S,
        )
        found = rehearsal_of(served)
        assert (found["running"], found["error"]) == (True, "")
        match = re.search(r"Sign in at (\S+) with (glean_\S+)", text_of(found))
        assert match is not None
        headers = {"Authorization": f"Bearer {match[2]}"}
        with httpx2.Client(base_url=match[1], headers=headers, verify=False) as inner:
            states = [one["state"] for one in inner.get("/api/v1/members").json()["members"]]
        assert states == ["joined"] * 3
        assert served.http.delete("/api/v1/rehearsal").status_code == 200
        assert rehearsal_of(served)["running"] is False
    assert list(scratch.glob("glean-rehearsal-*")) == []


def rehearsal_of(served: Served) -> Any:
    return served.http.get("/api/v1/rehearsal").json()


def text_of(found: Any) -> str:
    return "\n".join(step["text"] for step in found["steps"])
