"""A bakery's copy of the log of keys: kept up to date, and no other log is taken for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from glean.errors import RefusalError
from glean.federation.node.key_log_follower import PAUSE_S, KeyLogFollower
from glean.federation.node.server_errors import UnreachableError
from glean.privacy.key_log import JOINED, SHUT_OUT, KeyLog, KeyLogEntry, KeyLogError
from glean.privacy.members import new_keys, read_members
from glean.privacy.model_key import ModelSigner, new_model_key

PEM, PUBLIC = new_model_key()
SIGNER = ModelSigner(PEM, "model-key")
MEMBERS = [new_keys(name).member for name in "ABC"]


def log_of(count: int) -> KeyLog:
    """A log of the first members."""
    log = KeyLog()
    for member in MEMBERS[:count]:
        log = log.with_entry(JOINED, member, SIGNER, at="2026-11-30T05:00:00+00:00")
    return log


class Server:
    """Shows a log, and counts how often it was asked."""

    def __init__(self, log: KeyLog) -> None:
        self.log, self.asked = log, 0

    def entries(self, since: int) -> tuple[KeyLogEntry, ...]:
        """Entries from a number on."""
        self.asked += 1
        return self.log.entries[since - 1 :]


@pytest.fixture
def clock() -> list[float]:
    """The time, to be set."""
    return [0.0]


@pytest.fixture
def follower(tmp_path: Path, clock: list[float]) -> Callable[[Server], KeyLogFollower]:
    """Makes a follower of a server."""
    return lambda server: KeyLogFollower(
        tmp_path / "key-log.jsonl",
        tmp_path / "members.json",
        PUBLIC,
        server.entries,
        clock=lambda: clock[0],
    )


def names(tmp_path: Path) -> list[str]:
    """Names in the list that follows from the log."""
    return [m.bakery for m in read_members((tmp_path / "members.json").read_bytes())]


def test_the_list_goes_by_the_log(
    follower: Callable[[Server], KeyLogFollower], tmp_path: Path, clock: list[float]
) -> None:
    """Members come and go; within a second nobody is asked twice; a new process goes on."""
    server = Server(log_of(2))
    mine = follower(server)
    mine.refresh()
    assert names(tmp_path) == ["A", "B"]
    server.log = log_of(3).with_entry(SHUT_OUT, MEMBERS[0], SIGNER, at="2026-11-30")
    mine.refresh()
    assert (names(tmp_path), server.asked) == (["A", "B"], 1)
    clock[0] += PAUSE_S
    mine.refresh()
    assert names(tmp_path) == ["B", "C"]
    assert follower(server).known() == server.log


def test_another_log_is_refused_and_nothing_changes(
    follower: Callable[[Server], KeyLogFollower], tmp_path: Path
) -> None:
    """A server that signed a second history for this bakery, after it knew the first."""
    follower(Server(log_of(2))).refresh()
    other = KeyLog()
    for member in [new_keys("A").member, *MEMBERS[1:]]:
        other = other.with_entry(JOINED, member, SIGNER, at="2026-11-30")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(RefusalError, match="another log than before"):
        follower(Server(other)).refresh()
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_log_that_was_put_back_or_exchanged_is_refused(
    follower: Callable[[Server], KeyLogFollower], count: int
) -> None:
    """Though it isn't longer than what is known: shorter, of one length, or longer by one."""
    follower(Server(log_of(2))).refresh()
    other = KeyLog()
    for name in ("A", "B", "C")[:count]:
        other = other.with_entry(JOINED, new_keys(name).member, SIGNER, at="2026-11-30")
    with pytest.raises(RefusalError, match="another log than before"):
        follower(Server(other)).refresh()
    with pytest.raises(RefusalError, match="another log than before"):
        follower(Server(log_of(1))).refresh()


def test_a_kill_between_log_and_list_is_mended(
    follower: Callable[[Server], KeyLogFollower], tmp_path: Path
) -> None:
    """Who was shut out isn't on the list for longer than until the next look."""
    server = Server(log_of(3))
    follower(server).refresh()
    before = (tmp_path / "members.json").read_bytes()
    server.log = server.log.with_entry(SHUT_OUT, MEMBERS[1], SIGNER, at="2026-11-30")
    follower(server).refresh()
    (tmp_path / "members.json").write_bytes(before)
    follower(server).refresh()
    assert names(tmp_path) == ["A", "C"]


def test_a_server_that_cannot_be_reached_is_no_other_log(
    follower: Callable[[Server], KeyLogFollower],
) -> None:
    """It is tried again, by who asks."""

    class Gone(Server):
        def entries(self, since: int) -> tuple[KeyLogEntry, ...]:
            raise UnreachableError(f"nobody answers about {since}")

    with pytest.raises(UnreachableError):
        follower(Gone(log_of(0))).refresh()


def test_a_copy_that_was_changed_is_refused(
    follower: Callable[[Server], KeyLogFollower], tmp_path: Path
) -> None:
    """By whatever it was."""
    mine = follower(Server(log_of(2)))
    mine.refresh()
    path = tmp_path / "key-log.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"A"', b'"D"'))
    with pytest.raises(KeyLogError):
        mine.known()
