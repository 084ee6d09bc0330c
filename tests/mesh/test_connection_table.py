"""Of two connections with one peer one is kept: by both sides the same, and the one that lives."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import pytest

from glean.mesh.connection_table import ConnectionTable
from glean.mesh.mesh_limits import MeshLimits
from glean.mesh.peer_connection import PeerConnection
from glean.privacy.peer_handshake import PeerClaim
from glean.privacy.peer_identity import PeerIdentity
from tests.mesh.mesh_nodes import FixedDirectory

KEYS = PeerIdentity.new()


@dataclass
class FakeConnection:
    """What a table knows of a connection."""

    name: str
    dialed: bool
    session: bytes = b"first"
    age_s: float = 0.0
    closed: str = ""
    address: str = "192.0.2.7:7700"
    opened_at: float = field(init=False)
    remote: PeerClaim = field(init=False)

    def __post_init__(self) -> None:
        self.opened_at = time.monotonic() - self.age_s
        self.remote = PeerClaim(self.name, KEYS.public, self.session)

    def close(self, reason: str) -> None:
        self.closed = reason

    discard = close

    def join(self, timeout_s: float) -> None:
        pass


class Tables:
    """A table of a peer, and what it started."""

    def __init__(self, own: str, limits: MeshLimits) -> None:
        self.begun: list[PeerConnection] = []
        directory = FixedDirectory(own, {}, {})
        self.table = ConnectionTable(KEYS, directory, limits=limits, opened=self.begun.append)

    def add(self, connection: FakeConnection) -> bool:
        return self.table.add(cast("PeerConnection", connection))


@pytest.fixture
def a() -> Iterator[Tables]:
    """That of the peer whose name comes first."""
    made = Tables("a", MeshLimits(most_connections=2))
    yield made
    made.table.stop()


@pytest.mark.parametrize("a_dialed_first", [True, False])
def test_both_sides_keep_the_same_of_two(a: Tables, *, a_dialed_first: bool) -> None:
    """That which a has opened, whichever comes first at either."""
    b = Tables("b", MeshLimits())
    for dialed_by_a in (a_dialed_first, not a_dialed_first):
        a.add(FakeConnection("b", dialed=dialed_by_a))
    # At the other side the two may be ready in the other order.
    for dialed_by_a in (not a_dialed_first, a_dialed_first):
        b.add(FakeConnection("a", dialed=not dialed_by_a))
    assert [c.dialed for c in a.table.connections().values()] == [True]
    assert [c.dialed for c in b.table.connections().values()] == [False]
    b.table.stop()


def test_a_peer_that_connects_later_has_lost_the_older_one(a: Tables) -> None:
    """Also where nobody has told this side."""
    older, newer = FakeConnection("b", dialed=True, age_s=60.0), FakeConnection("b", dialed=False)
    assert a.add(older)
    assert a.add(newer)
    assert older.closed == "there is a newer connection"
    assert not newer.closed


def test_a_peer_that_was_started_anew_has_lost_all_older_ones(a: Tables) -> None:
    """Be they a moment old, and by whomever opened."""
    older = FakeConnection("b", dialed=True)
    assert a.add(older)
    assert not a.add(FakeConnection("b", dialed=False))
    assert a.add(FakeConnection("b", dialed=False, session=b"second"))
    assert older.closed


def test_there_are_so_many_and_no_more(a: Tables) -> None:
    """A peer that has one may still exchange it."""
    assert [a.add(FakeConnection(name, dialed=False)) for name in "bcd"] == [True, True, False]
    assert a.add(FakeConnection("b", dialed=False))
    assert len(a.begun) == 3


def test_a_connection_that_ends_at_once_is_waited_for_longer_each_time(a: Tables) -> None:
    """As of a peer that has no room; one that lasted is opened again at once."""
    limits = MeshLimits()
    waits = []
    for age_s in (0.0, 0.0, 0.0, 0.0, 60.0):
        connection = FakeConnection("b", dialed=True, age_s=age_s)
        assert a.add(connection)
        connection.close("no room")
        a.table.remove(cast("PeerConnection", connection), "no room")
        waits.append(a.table._backoff["b"].wait_s)
    first = limits.first_backoff_s
    assert waits == [first, 2 * first, 4 * first, 8 * first, first]
    assert limits.longest_backoff_s <= 20.0


def test_who_is_reached_again_has_the_others_called_soon(a: Tables) -> None:
    """This peer was cut off, say, and each of them is away for long already."""
    for _ in range(20):
        a.table._fail("c", "no route")
    far = a.table._backoff["c"].next_at
    assert far > time.monotonic() + 5.0
    assert a.add(FakeConnection("b", dialed=False))
    assert a.table._backoff["c"].next_at < time.monotonic() + 5.0
    assert a.table._backoff["c"].wait_s == MeshLimits().longest_backoff_s
