"""An outbox keeps what was put until it is acknowledged or expires, within its bounds."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glean.errors import FederationError
from glean.outbox.outbox import Outbox, OutboxFullError
from tests.processes import REPOSITORY

PUT_AND_WAIT = """
import sys, time
from pathlib import Path
from glean.outbox.outbox import Outbox

outbox = Outbox(Path(sys.argv[1]), most_bytes=10_000_000, expires_s=60.0)
for number in range(int(sys.argv[2])):
    outbox.put(f"m{number}", "north", bytes([number]) * 20_000)
    print(number, flush=True)
time.sleep(60.0)
"""


class Clock:
    """Seconds that pass when a test says so."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outbox(tmp_path: Path, clock: Clock) -> Iterator[Outbox]:
    """One with room for a hundred bytes, for a minute."""
    made = Outbox(tmp_path / "out.sqlite", most_bytes=100, expires_s=60.0, clock=clock)
    yield made
    made.close()


def test_what_is_due_comes_oldest_first_until_it_is_acknowledged(outbox: Outbox) -> None:
    """And says how often it was given out."""
    for name in ("b", "a", "c"):
        outbox.put(name, "north", name.encode())
    assert [(m.message_id, m.body, m.attempts) for m in outbox.due(limit=2)] == [
        ("b", b"b", 1),
        ("a", b"a", 1),
    ]
    assert outbox.acknowledge("b")
    assert not outbox.acknowledge("b")
    assert [(m.message_id, m.attempts) for m in outbox.due()] == [("a", 2), ("c", 1)]


def test_each_receiver_has_its_own(outbox: Outbox) -> None:
    """Who is away holds nobody up."""
    outbox.put("1", "north", b"x")
    outbox.put("2", "south", b"y")
    assert [m.message_id for m in outbox.due("south")] == ["2"]
    assert outbox.due("west") == []


def test_nothing_is_tried_again_before_its_time(outbox: Outbox, clock: Clock) -> None:
    """Unless the clock was set back, which would otherwise hold it for as long."""
    outbox.put("1", "north", b"x")
    assert len(outbox.due(retry_s=10.0)) == 1
    clock.now += 9.9
    assert outbox.due(retry_s=10.0) == []
    clock.now += 0.1
    assert len(outbox.due(retry_s=10.0)) == 1
    clock.now -= 3600.0
    assert len(outbox.due(retry_s=10.0)) == 1


def test_a_message_is_put_once(outbox: Outbox) -> None:
    """The second one of the same name changes nothing, also where there is no room."""
    outbox.put("1", "north", b"x" * 60)
    outbox.put("1", "south", b"y" * 60)
    (message,) = outbox.due()
    assert (message.receiver, message.body) == ("north", b"x" * 60)


def test_there_is_room_for_so_many_bytes(outbox: Outbox) -> None:
    """A full one says what it has, what it may have and what helps; an acknowledgement does."""
    outbox.put("1", "north", b"x" * 60)
    outbox.put("2", "north", b"x" * 40)
    with pytest.raises(OutboxFullError, match="1 bytes to 'south' beside 100 that wait") as caught:
        outbox.put("3", "south", b"x")
    assert "at most 100 in all: wait until receivers" in str(caught.value)
    outbox.acknowledge("2")
    outbox.put("3", "south", b"x" * 40)


def test_what_waits_too_long_is_given_back_once(outbox: Outbox, clock: Clock) -> None:
    """To be named as a dead letter."""
    outbox.put("old", "north", b"x")
    clock.now += 30.0
    outbox.put("new", "north", b"y")
    clock.now += 29.9
    assert outbox.expire() == []
    clock.now += 0.1
    assert [(m.message_id, m.body) for m in outbox.expire()] == [("old", b"x")]
    assert outbox.expire() == []
    assert [m.message_id for m in outbox.due()] == ["new"]


def test_a_list_of_what_waits_notes_nothing(outbox: Outbox) -> None:
    """Sizes by origin tell a relay whose messages fill it."""
    outbox.put("1", "north", b"xyz", origin="west")
    outbox.put("2", "north", b"x")
    listed = [(w.message_id, w.origin, w.size, w.attempts) for w in outbox.waiting()]
    assert listed == [("1", "west", 3, 0), ("2", "", 1, 0)]
    outbox.put("3", "east", b"x")
    assert outbox.receivers() == ["east", "north"]
    assert outbox.counts() == {"east": 1, "north": 2}
    assert [w.message_id for w in outbox.waiting("east")] == ["3"]
    outbox.acknowledge("3")
    assert outbox.held_bytes() == 4
    assert outbox.held_bytes(origin="west") == 3
    assert [outbox.origin_of(name) for name in ("1", "2", "none such")] == ["west", "", None]
    given_out = outbox.give("1")
    assert given_out is not None
    assert given_out.attempts == 1
    assert outbox.give("none such") is None


def test_it_is_all_there_after_a_restart(tmp_path: Path, clock: Clock) -> None:
    """Bodies, order, attempts and ages."""
    path = tmp_path / "out.sqlite"
    first = Outbox(path, most_bytes=100, expires_s=60.0, clock=clock)
    first.put("1", "north", b"\0\xff")
    before = first.due()
    first.close()
    second = Outbox(path, most_bytes=100, expires_s=60.0, clock=clock)
    try:
        (after,) = second.due()
        assert (after.body, after.put_at) == (before[0].body, before[0].put_at)
        assert after.attempts == 2
    finally:
        second.close()


def test_what_was_put_outlives_a_kill(tmp_path: Path) -> None:
    """Whatever was put when the process was killed is there, to the last one that it said."""
    path = tmp_path / "out.sqlite"
    said = put_until_killed(path, kill_after=7)
    outbox = Outbox(path, most_bytes=10_000_000, expires_s=3600.0)
    try:
        kept = {m.message_id: m.body for m in outbox.due()}
    finally:
        outbox.close()
    assert len(said) >= 7
    assert [kept.get(f"m{number}") for number in said] == [bytes([n]) * 20_000 for n in said]


def put_until_killed(path: Path, *, kill_after: int) -> list[int]:
    """Let a process put message by message, kill it in the middle; the numbers that it said."""
    with subprocess.Popen(
        [sys.executable, "-c", PUT_AND_WAIT, str(path), "50"],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    ) as process:
        assert process.stdout is not None
        said = [int(process.stdout.readline()) for _ in range(kill_after)]
        process.kill()
        said += [int(line) for line in process.stdout.read().splitlines()]
    assert process.returncode == -signal.SIGKILL
    return said


def test_a_second_process_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two would send everything twice."""
    monkeypatch.setattr("glean.outbox.message_file._WAIT_S", 0.1)
    path = tmp_path / "out.sqlite"
    with subprocess.Popen(
        [sys.executable, "-c", PUT_AND_WAIT, str(path), "1"],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline()
            with pytest.raises(FederationError, match=r"out\.sqlite: found it in use by another"):
                Outbox(path, most_bytes=100, expires_s=60.0)
        finally:
            process.kill()


def test_others_can_t_read_it(outbox: Outbox, tmp_path: Path) -> None:
    """Nor what SQLite keeps beside it."""
    outbox.put("1", "north", b"x")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}, modes


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    """As is a folder that isn't there."""
    path = tmp_path / "out.sqlite"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(FederationError, match=r"out\.sqlite can't be used: .*move the file away"):
        Outbox(path, most_bytes=100, expires_s=60.0)
    with pytest.raises(FederationError, match=r"none such.* can't be used: No such file"):
        Outbox(tmp_path / "none such" / "out.sqlite", most_bytes=100, expires_s=60.0)


def test_a_closed_one_says_so(outbox: Outbox) -> None:
    """A thread that comes late gets an error that it knows."""
    outbox.close()
    with pytest.raises(FederationError, match="closed"):
        outbox.put("1", "north", b"x")


def test_a_commit_waits_for_the_disk(outbox: Outbox) -> None:
    """What a kill of the machine would show: SQLite was told to sync each commit."""
    with outbox._file.transaction() as database:
        assert database.execute("PRAGMA synchronous").fetchone() == (2,)
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_threads_share_it(tmp_path: Path) -> None:
    """Two put, two send and acknowledge: everything goes once, and nothing is left."""
    outbox = Outbox(tmp_path / "out.sqlite", most_bytes=10_000, expires_s=60.0)
    acknowledged: list[str] = []
    everything = sorted(f"{name}{number}" for name in "ab" for number in range(40))

    def put(name: str) -> None:
        for number in range(40):
            outbox.put(f"{name}{number}", "north", b"x" * 100)

    def send() -> None:
        while len(acknowledged) < len(everything):
            done = [m.message_id for m in outbox.due(limit=5) if outbox.acknowledge(m.message_id)]
            acknowledged.extend(done)

    with ThreadPoolExecutor(4) as threads:
        jobs = [threads.submit(put, "a"), threads.submit(put, "b")]
        jobs += [threads.submit(send), threads.submit(send)]
        for job in jobs:
            job.result(timeout=60.0)
    left = outbox.due()
    outbox.close()
    assert sorted(acknowledged) == everything
    assert left == []


STEPS = st.lists(
    st.tuples(st.sampled_from("pak"), st.integers(0, 6), st.integers(0, 40)), max_size=30
)


@settings(max_examples=25)
@given(STEPS)
def test_it_does_what_a_dictionary_would(steps: list[tuple[str, int, int]]) -> None:
    """Messages put, acknowledged and found again (k) in any order, against the plainest model."""
    model: dict[str, int] = {}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "out.sqlite"
        outbox = Outbox(path, most_bytes=100, expires_s=60.0)
        for what, number, size in steps:
            name = str(number)
            if what == "p":
                fits = name in model or sum(model.values()) + size <= 100
                with nullcontext() if fits else pytest.raises(OutboxFullError):
                    outbox.put(name, "north", b"x" * size)
                if fits:
                    model.setdefault(name, size)
            elif what == "a":
                assert outbox.acknowledge(name) == (model.pop(name, None) is not None)
            else:
                outbox.close()
                outbox = Outbox(path, most_bytes=100, expires_s=60.0)
        found = {message.message_id: len(message.body) for message in outbox.due()}
        outbox.close()
    assert found == model
