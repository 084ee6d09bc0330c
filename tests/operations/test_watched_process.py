"""A process that ends with the one that started it: also where nobody can be had to see to that."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

from glean.operations.running import watched_process
from glean.operations.running.watched_process import WatchedProcess


@pytest.mark.skipif(sys.platform == "win32", reason="sessions are POSIX's")
def test_a_process_that_can_t_be_watched_is_ended_at_once(tmp_path: Path) -> None:
    """Whoever started it is told that it can't be had, and would leave it alone."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*_: object) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-c", "import time; time.sleep(600)"]
        started.append(subprocess.Popen(words, start_new_session=True))
        return started[0]

    full = BlockingIOError(11, "Resource temporarily unavailable")
    with (
        mock.patch.object(watched_process, "start_worker", start),
        mock.patch.object(watched_process, "watch", side_effect=full),
        pytest.raises(BlockingIOError),
    ):
        WatchedProcess("glean", tmp_path, tmp_path / "log")
    try:
        assert started[0].returncode is not None
    finally:
        started[0].kill()
        started[0].wait()
