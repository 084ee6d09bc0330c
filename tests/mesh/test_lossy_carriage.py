"""Whatever is lost, repeated, reordered or restarted on the way: each message is handled once.

Three peers without sockets, of which the middle one connects the others; Hypothesis chooses what
happens to each packet and each receipt. Then everything is carried faithfully until all is still.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from glean.mesh.frames import Packet
from glean.mesh.mesh_limits import MeshLimits
from tests.mesh.message_stores import Clock, StorePeer, directories

WAYS = {"a": "b", "b": "ac", "c": "b"}
LINKS = ("ab", "ba", "bc", "cb")

EVENTS = st.one_of(
    st.tuples(st.just("send"), st.sampled_from(["ac", "ca", "ab"])),
    st.tuples(st.sampled_from(["carry", "lose", "lose receipt", "keep"]), st.sampled_from(LINKS)),
    st.tuples(st.just("repeat"), st.integers(0, 20).map(str)),
    st.tuples(st.just("restart"), st.sampled_from("abc")),
    st.tuples(st.just("wait"), st.sampled_from(["1", "40", "100"])),
)


class Carriage:
    """Carries packets between peers as it's told."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.peers = {
            name: StorePeer(
                folder, directory, clock=self.clock, limits=MeshLimits(most_in_flight=3)
            )
            for name, directory in directories(WAYS).items()
        }
        self.sent: set[tuple[str, str]] = set()
        self.kept: list[tuple[str, str, Packet]] = []

    def happen(self, what: str, where: str) -> None:
        if what == "send":
            name = f"m{len(self.sent)}"
            self.peers[where[0]].outgoing.send(where[1], "plan", name.encode(), name)
            self.sent.add((where[1], name))
        elif what == "repeat":
            if self.kept:
                by, to, packet = self.kept[int(where) % len(self.kept)]
                self.peers[to].take(packet, by)
        elif what == "restart":
            self.peers[where].close()
            self.peers[where].open()
        elif what == "wait":
            self.clock.now += float(where)
        else:
            self.carry(what, *where)

    def carry(self, what: str, by: str, to: str) -> int:
        """Carry what goes from one peer to another; how many packets that were."""
        transmissions = self.peers[by].transmissions(to)
        for _, packet in transmissions:
            self.kept.append((by, to, packet))
            if what in ("carry", "lose receipt"):
                receipt = self.peers[to].take(packet, by)
                if what == "carry":
                    self.peers[by].forwarder.answered(to, receipt)
        self.peers[to].handlers.handle()
        return len(transmissions)

    def settle(self) -> None:
        """Carry everything, faithfully, until nothing goes any more."""
        still = 0
        while still < 3:
            self.clock.now += 100.0
            still = still + 1 if not sum(self.carry("carry", *link) for link in LINKS) else 0


@settings(max_examples=15)
@given(st.lists(EVENTS, max_size=25))
def test_each_message_is_handled_once(events: list[tuple[str, str]]) -> None:
    """And nothing is left that waits, nor any dead letter."""
    with TemporaryDirectory() as folder:
        carriage = Carriage(Path(folder))
        try:
            for event in events:
                carriage.happen(*event)
            carriage.settle()
            handled = [(p.name, m.message_id) for p in carriage.peers.values() for m in p.handled]
            assert sorted(handled) == sorted(carriage.sent)
            for peer in carriage.peers.values():
                assert peer.store.outbox.counts() == {}
                assert peer.store.relayed.counts() == {}
                assert peer.store.dead_letters.last() == []
        finally:
            for peer in carriage.peers.values():
                peer.close()
