"""What a hosted client keeps: replies, its state, and what was in hand when it was killed."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from glean.errors import FederationError
from glean.federation.grids.client_store import GIVEN, MOST_RUNS, ClientStore, Interrupted


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "store.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[ClientStore]:
    found = ClientStore(path)
    yield found
    found.close()


def reopened(path: Path, read: str, *arguments: object) -> object:
    """What another process reads."""
    other = ClientStore(path)
    try:
        return getattr(other, read)(*arguments)
    finally:
        other.close()


def test_a_reply_and_its_state_are_kept_together(store: ClientStore, path: Path) -> None:
    """Another process finds both, the last state of each record only, and nothing in hand."""
    assert store.state(7) == []
    assert store.reply(7, "a") is None
    store.begin(7, "a", b"before")
    assert reopened(path, "interrupted") == Interrupted(7, "a", b"before")
    store.commit(7, "a", b"reply a", {"x": b"1", "y": b"2"})
    assert reopened(path, "interrupted") is None
    store.begin(7, "b", None)
    store.commit(7, "b", b"reply b", {"x": b"1", "z": b"3"})
    assert reopened(path, "reply", 7, "a") == b"reply a"
    assert sorted(reopened(path, "state", 7)) == [b"1", b"3"]  # type: ignore[call-overload]
    assert reopened(path, "state", 8) == []
    assert reopened(path, "reply", 8, "a") is None


def test_what_is_in_hand_stays_until_it_is_settled(store: ClientStore, path: Path) -> None:
    """Of one message only: the newest."""
    store.begin(7, "a", b"before a")
    store.begin(7, "b", None)
    assert store.interrupted() == Interrupted(7, "b", None)
    store.settle()
    assert reopened(path, "interrupted") is None


def test_a_failed_commit_leaves_all_as_it_was(store: ClientStore, path: Path) -> None:
    """Neither the reply nor a part of the state comes without the other."""
    store.commit(7, "a", b"reply a", {"x": b"1"})
    store.begin(7, "b", b"before")
    with pytest.raises(FederationError, match="can't be used"):
        store.commit(7, "a", b"again", {"x": b"2", "y": b"3"})
    assert reopened(path, "state", 7) == [b"1"]
    assert reopened(path, "reply", 7, "a") == b"reply a"
    assert reopened(path, "interrupted") == Interrupted(7, "b", b"before")
    store.commit(7, "b", b"reply b", {"x": b"2"})
    assert reopened(path, "state", 7) == [b"2"]


def test_old_replies_are_known_to_be_given(path: Path) -> None:
    """Beyond what is kept, only that they were; the newest is kept, however large."""
    store = ClientStore(path, most_reply_bytes=100)
    for number in range(5):
        store.commit(7, str(number), bytes([65 + number]) * 40, {})
    assert [store.reply(7, str(number)) for number in range(5)] == [
        GIVEN, GIVEN, GIVEN, b"D" * 40, b"E" * 40,
    ]  # fmt: skip
    store.commit(7, "large", bytes(500), {})
    assert store.reply(7, "large") == bytes(500)
    assert store.reply(7, "4") == GIVEN
    store.close()


def test_runs_that_are_long_over_are_forgotten(store: ClientStore) -> None:
    """The last few are kept, whichever numbers they have."""
    for run_id in (90, 5, 70, 1, 60):
        store.commit(run_id, "a", b"reply", {"x": b"1"})
    assert MOST_RUNS == 4
    assert (store.reply(90, "a"), store.state(90)) == (None, [])
    assert [store.reply(run_id, "a") for run_id in (5, 70, 1, 60)] == [b"reply"] * 4


def test_only_its_user_may_read_it(store: ClientStore, path: Path) -> None:
    """It holds the keys of masks."""
    store.commit(7, "a", b"reply", {})
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    """And a folder."""
    wrong = tmp_path / "wrong.sqlite"
    wrong.write_bytes(b"no database at all, and long enough to be seen as such" * 100)
    for path in (wrong, tmp_path):
        with pytest.raises(FederationError, match="Let its user write there"):
            ClientStore(path)
