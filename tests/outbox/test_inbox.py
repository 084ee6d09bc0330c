"""An inbox says of each message once that it is new, also after a kill."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

from glean.outbox.inbox import Inbox
from tests.outbox.test_outbox import Clock
from tests.processes import REPOSITORY

TAKE_AND_WAIT = """
import sys, time
from pathlib import Path
from glean.outbox.inbox import Inbox

inbox = Inbox(Path(sys.argv[1]), expires_s=60.0)
print(inbox.take("north", "1"), inbox.take("north", "1"), flush=True)
time.sleep(60.0)
"""


def test_a_message_is_taken_once(tmp_path: Path) -> None:
    """By sender and name: another sender may use the same name."""
    inbox = Inbox(tmp_path / "in.sqlite", expires_s=60.0)
    try:
        assert not inbox.seen("north", "1")
        assert inbox.take("north", "1")
        assert inbox.seen("north", "1")
        assert not inbox.take("north", "1")
        assert inbox.take("south", "1")
    finally:
        inbox.close()


def test_names_are_forgotten_after_their_time_only(tmp_path: Path) -> None:
    """A message that old has expired by itself."""
    clock = Clock()
    inbox = Inbox(tmp_path / "in.sqlite", expires_s=60.0, clock=clock)
    try:
        assert inbox.take("north", "1")
        clock.now += 59.9
        assert not inbox.take("north", "1")
        clock.now += 0.1
        assert inbox.take("north", "2")
        assert not inbox.seen("north", "1")
    finally:
        inbox.close()


def test_what_was_taken_outlives_a_kill(tmp_path: Path) -> None:
    """The process is killed once it has said so."""
    path = tmp_path / "in.sqlite"
    with subprocess.Popen(
        [sys.executable, "-c", TAKE_AND_WAIT, str(path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"True False\n"
        process.kill()
    inbox = Inbox(path, expires_s=60.0)
    try:
        assert not inbox.take("north", "1")
    finally:
        inbox.close()


def test_one_of_two_threads_takes_it(tmp_path: Path) -> None:
    """However close they are."""
    inbox = Inbox(tmp_path / "in.sqlite", expires_s=60.0)
    gate = threading.Barrier(2)
    taken: list[int] = []

    def take_all() -> None:
        gate.wait(timeout=30.0)
        taken.extend(number for number in range(50) if inbox.take("north", str(number)))

    threads = [threading.Thread(target=take_all) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60.0)
    inbox.close()
    assert sorted(taken) == list(range(50))


def test_one_sender_fills_it_with_so_many_names(tmp_path: Path) -> None:
    """Others' are noted as before; and so are its own, once earlier ones may be forgotten."""
    clock = [1000.0]
    inbox = Inbox(tmp_path / "inbox.sqlite", expires_s=60.0, most_each=3, clock=lambda: clock[0])
    for number in range(3):
        assert inbox.has_room("mill")
        assert inbox.take("mill", f"m{number}")
        clock[0] += 10.0
    assert (inbox.has_room("mill"), inbox.has_room("market")) == (False, True)
    inbox.close()
    inbox = Inbox(tmp_path / "inbox.sqlite", expires_s=60.0, most_each=3, clock=lambda: clock[0])
    assert not inbox.has_room("mill")
    clock[0] += 35.0
    assert inbox.has_room("mill")
    assert inbox.take("mill", "m3")
    assert not inbox.has_room("mill")
    inbox.close()
