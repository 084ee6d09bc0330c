"""A message waits until its receiver has acknowledged it, by a signature of its own."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from glean.mesh.incoming import EnvelopeStatus
from glean.mesh.mesh_limits import MeshLimits
from glean.outbox.outbox import OutboxFullError
from glean.privacy.peer_identity import PeerIdentity
from glean.privacy.sealed_envelope import SealedEnvelope
from tests.mesh.message_stores import Clock, StorePeer, directories

WAYS = {"a": "b", "b": "ac", "c": "b"}


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[dict[str, StorePeer]]:
    """Three peers of which the one in the middle connects the others."""
    clock = Clock()
    made = {
        name: StorePeer(tmp_path, directory, clock=clock)
        for name, directory in directories(WAYS).items()
    }
    yield made
    for peer in made.values():
        peer.close()


def carry(mesh: dict[str, StorePeer], by: str, to: str) -> int:
    """Carry what goes from one to the other, and the receipts back; how many that were."""
    transmissions = mesh[by].transmissions(to)
    for _, packet in transmissions:
        mesh[by].forwarder.answered(to, mesh[to].take(packet, by))
    return len(transmissions)


def test_a_relay_s_word_is_not_enough(mesh: dict[str, StorePeer]) -> None:
    """The sender lets go of it when the receiver's own acknowledgement has come."""
    mesh["a"].outgoing.send("c", "plan", b"rolls", "m1")
    assert carry(mesh, "a", "b") == 1
    assert mesh["a"].store.outbox.counts() == {"c": 1}
    assert carry(mesh, "b", "c") == 1
    assert mesh["b"].store.relayed.counts() == {}
    assert carry(mesh, "c", "b") == 1
    assert mesh["c"].store.outbox.counts() == {}
    assert mesh["a"].store.outbox.counts() == {"c": 1}
    assert carry(mesh, "b", "a") == 1
    assert mesh["a"].store.outbox.counts() == {}
    assert mesh["b"].store.relayed.counts() == {}


@pytest.mark.parametrize(
    "said",
    [
        {"message": "m1", "digest": "00", "refused": ""},
        {"message": "m2", "digest": "00", "refused": ""},
        {"message": "m1"},
        ["m1"],
        7,
    ],
)
def test_an_acknowledgement_of_something_else_is_none(
    mesh: dict[str, StorePeer], said: object
) -> None:
    """Another digest, another name, or nothing that can be read."""
    mesh["a"].outgoing.send("c", "plan", b"rolls", "m1")
    mesh["a"].outgoing.acknowledged("c", json.dumps(said).encode())
    assert mesh["a"].store.outbox.counts() == {"c": 1}


def test_another_peer_s_acknowledgement_is_none(mesh: dict[str, StorePeer]) -> None:
    """The relay knows the name and the digest, and may not speak for the receiver."""
    mesh["a"].outgoing.send("c", "plan", b"rolls", "m1")
    ((_, packet),) = mesh["a"].transmissions("b")
    digest = SealedEnvelope.of(packet.content[17:]).digest
    said = json.dumps({"message": "m1", "digest": digest, "refused": ""}).encode()
    mesh["a"].outgoing.acknowledged("b", said)
    assert mesh["a"].store.outbox.counts() == {"c": 1}
    mesh["a"].outgoing.acknowledged("c", said)
    assert mesh["a"].store.outbox.counts() == {}


def test_what_its_receiver_refuses_is_a_dead_letter(mesh: dict[str, StorePeer]) -> None:
    """The receiver decrypts by another key than the sender knows."""
    known = mesh["a"].directory.peers["c"]
    other = replace(known.key, encryption_key=PeerIdentity.new().public.encryption_key)
    mesh["a"].directory.peers["c"] = replace(known, key=other)
    mesh["a"].outgoing.send("c", "plan", b"rolls", "m1")
    for by, to in ("ab", "bc", "cb", "ba"):
        carry(mesh, by, to)
    (letter,) = mesh["a"].store.dead_letters.last()
    assert (letter.message_id, letter.receiver) == ("m1", "c")
    assert "refused by its receiver: envelope 'm1' from 'a' doesn't open" in letter.reason
    assert mesh["a"].store.outbox.counts() == {}
    assert mesh["c"].handled == []
    (at_relay,) = mesh["b"].store.dead_letters.last()
    assert at_relay.reason.startswith("refused by c: ")


def test_what_a_receiver_says_can_be_written_down(mesh: dict[str, StorePeer]) -> None:
    """Also what no terminal should get, and no file takes."""
    a = mesh["a"]
    a.outgoing.send("c", "plan", b"rolls", "m1")
    ((_, packet),) = a.transmissions("b")
    digest = SealedEnvelope.of(packet.content[17:]).digest
    said = {"message": "m1", "digest": digest, "refused": "cold\x1b[2J\ud800"}
    a.outgoing.acknowledged("c", json.dumps(said).encode())
    (letter,) = a.store.dead_letters.last()
    assert letter.reason == r"refused by its receiver: cold\x1b[2J\ud800"
    assert letter.message_id in (a.home / "dead-letters.jsonl").read_text("utf-8")


def test_a_relay_that_loses_what_it_took_isn_t_the_only_one(tmp_path: Path) -> None:
    """Each further attempt begins with another way, of messages and of acknowledgements."""
    clock, ways = Clock(), {"a": "bc", "b": "ad", "c": "ad", "d": "bc"}
    found = directories(ways)
    a, d = (StorePeer(tmp_path, found[name], clock=clock) for name in "ad")
    a.outgoing.send("d", "plan", b"rolls", "m1")
    taken = []
    for _ in range(4):
        ((way, packet),) = a.transmissions("b", "c")
        taken.append(way)
        a.forwarder.answered(way, packet.content[1:17] + b'["stored", ""]')
        clock.now += a.limits.longest_custody_s
    assert taken == ["b", "c", "b", "c"]
    back = set()
    for _ in range(60):
        d.take(packet, "b")
        ((way, acknowledgement),) = d.transmissions("b", "c")
        d.forwarder.answered(way, acknowledgement.content[1:17] + b'["stored", ""]')
        back.add(way)
    assert back == {"b", "c"}
    a.close()
    d.close()


def test_who_is_away_leaves_room_for_others(tmp_path: Path) -> None:
    """What waits for one receiver fills half of the outbox at most."""
    limits = MeshLimits(most_outbox_bytes=20_000)
    a = StorePeer(tmp_path, directories(WAYS)["a"], clock=Clock(), limits=limits)
    for _ in range(3):
        a.outgoing.send("c", "plan", bytes(2_500))
    with pytest.raises(OutboxFullError, match=r"wait for 'c', no room for .* at most 10000"):
        a.outgoing.send("c", "plan", bytes(2_500))
    a.outgoing.send("b", "plan", bytes(2_500))
    a.close()


def test_nothing_is_sent_twice_while_it_is_on_its_way(mesh: dict[str, StorePeer]) -> None:
    """But is when nobody answers for long, and when the connection is a new one."""
    a = mesh["a"]
    a.outgoing.send("b", "plan", b"rolls", "m1")
    assert len(a.transmissions("b")) == 1
    assert a.transmissions("b") == []
    a.clock.now += a.limits.resend_s + 1.0
    assert len(a.transmissions("b")) == 1
    a.forwarder.connected("b")
    assert len(a.transmissions("b")) == 1


def test_a_large_message_isn_t_sent_again_while_it_may_be_on_the_line(
    mesh: dict[str, StorePeer],
) -> None:
    """A bad line takes minutes for it, and would take longer with every copy."""
    a = mesh["a"]
    a.outgoing.send("b", "plan", bytes(1_000_000), "m1")
    assert len(a.transmissions("b")) == 1
    a.clock.now += 1000.0
    assert a.transmissions("b") == []
    # The connection ends, and nobody else is there; then it is another one.
    assert a.transmissions() == []
    assert len(a.transmissions("b")) == 1


def test_so_many_bytes_are_on_their_way_at_a_time(mesh: dict[str, StorePeer]) -> None:
    """They are in memory until they are sent."""
    a = mesh["a"]
    for number in range(4):
        a.outgoing.send("b", "plan", bytes(7_000_000), f"m{number}")
    assert len(a.transmissions("b")) == 3


def test_a_relay_that_has_no_room_is_asked_later(mesh: dict[str, StorePeer]) -> None:
    """Not at once, and not never: after twice as long each time."""
    a, b = mesh["a"], mesh["b"]
    del b.directory.peers["a"]
    a.outgoing.send("b", "plan", b"rolls", "m1")
    ((_, packet),) = a.transmissions("b")
    receipt = b.take(packet, "a")
    assert EnvelopeStatus.LATER.encode() in receipt
    a.forwarder.answered("b", receipt)
    for longer in (1, 2, 4):
        assert a.transmissions("b") == []
        a.clock.now += longer * a.limits.later_s
        assert len(a.transmissions("b")) == 1
        a.forwarder.answered("b", receipt)


def test_so_many_are_on_their_way_at_a_time(mesh: dict[str, StorePeer]) -> None:
    """Others follow as they are answered."""
    a, b = mesh["a"], mesh["b"]
    for number in range(20):
        a.outgoing.send("b", "plan", b"rolls", f"m{number}")
    sent = a.transmissions("b")
    assert len(sent) == a.limits.most_in_flight
    a.forwarder.answered("b", b.take(sent[0][1], "a"))
    assert len(a.transmissions("b")) == 1


def test_a_neighbour_that_is_away_is_waited_for_a_moment(mesh: dict[str, StorePeer]) -> None:
    """Then whoever else knows it gets the message."""
    ways = {"a": "bc", "b": "ac", "c": "ab"}
    for peer in mesh.values():
        peer.directory.ways = ways
    a = mesh["a"]
    a.outgoing.send("c", "plan", b"rolls", "m1")
    assert a.transmissions("b") == []
    a.clock.now += a.limits.relay_after_s
    assert [to for to, _ in a.transmissions("b")] == ["b"]
    a.forwarder.connected("c")
    assert [to for to, _ in a.transmissions("b", "c")] == ["c"]


def test_a_clock_that_was_set_back_holds_up_nothing(mesh: dict[str, StorePeer]) -> None:
    """A message from before goes to whoever can pass it on."""
    for peer in mesh.values():
        peer.directory.ways = {"a": "bc", "b": "ac", "c": "ab"}
    a = mesh["a"]
    a.outgoing.send("c", "plan", b"rolls", "m1")
    a.clock.now -= 3_600.0
    assert [to for to, _ in a.transmissions("b")] == ["b"]


def test_somebody_keeps_what_is_for_whom_nobody_hears(mesh: dict[str, StorePeer]) -> None:
    """It goes to one peer, after a moment, and that one gives it to nobody but the receiver."""
    away = {"a": "b", "b": "a"}
    for peer in mesh.values():
        peer.directory.ways = away
    a, b = mesh["a"], mesh["b"]
    a.outgoing.send("c", "plan", b"rolls", "m1")
    assert a.transmissions("b") == []
    a.clock.now += a.limits.relay_after_s
    assert carry(mesh, "a", "b") == 1
    assert b.transmissions("a") == []
    assert carry(mesh, "b", "c") == 1
    assert mesh["c"].handlers.handle() == 1


def test_a_relay_s_word_is_taken_for_longer_each_time(mesh: dict[str, StorePeer]) -> None:
    """What it has isn't sent to it every minute for a week."""
    a = mesh["a"]
    a.outgoing.send("c", "plan", b"rolls", "m1")
    times = []
    for _ in range(600):
        times += [a.clock.now] * carry(mesh, "a", "b")
        a.clock.now += 30.0
    waits = [int(later - earlier) for earlier, later in itertools.pairwise(times)]
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_what_expires_at_a_relay_is_named_there(mesh: dict[str, StorePeer]) -> None:
    """As a dead letter of the two that it was between."""
    a, b = mesh["a"], mesh["b"]
    a.outgoing.send("c", "plan", b"rolls", "m1")
    carry(mesh, "a", "b")
    a.clock.now += a.limits.message_life_s + 1.0
    assert b.transmissions("c") == []
    (letter,) = b.store.dead_letters.last()
    assert (letter.sender, letter.receiver) == ("a", "c")
    assert letter.reason == "expired before it could be passed on"
    a.outgoing.expire()
    (letter,) = a.store.dead_letters.last()
    assert letter.reason == "not acknowledged within 604800 s, after 1 attempts"


def test_what_is_soon_out_of_date_is_given_up_in_silence(mesh: dict[str, StorePeer]) -> None:
    """At its sender, at a relay and, with its acknowledgement, at its receiver."""
    a, c = mesh["a"], mesh["c"]
    a.outgoing.send("c", "plan", b"a heartbeat", "m1", 20.0)
    a.outgoing.send("c", "plan", b"rolls", "m2")
    carry(mesh, "a", "b")
    carry(mesh, "b", "c")
    assert len(c.store.outbox.waiting("a")) == 2  # acknowledgements
    a.clock.now += 20.0 + a.limits.resend_s + 1.0
    for peer in mesh.values():
        peer.outgoing.expire()
        peer.forwarder.expire()
        assert peer.store.dead_letters.last() == []
    assert len(a.store.outbox.waiting("c")) == 1
    assert len(c.store.outbox.waiting("a")) == 1
    assert c.handlers.handle() == 2


def test_a_relay_forgets_what_is_out_of_date(mesh: dict[str, StorePeer]) -> None:
    """Before its receiver comes back, and without a word."""
    a, b = mesh["a"], mesh["b"]
    a.outgoing.send("c", "plan", b"a heartbeat", "m1", 20.0)
    carry(mesh, "a", "b")
    assert b.store.relayed.counts() == {"c": 1}
    a.clock.now += 21.0
    b.forwarder.expire()
    assert b.store.relayed.counts() == {}
    assert b.store.dead_letters.last() == []


def test_no_message_lives_longer_than_others_take(mesh: dict[str, StorePeer]) -> None:
    """A life beyond the mesh's own is that."""
    a, b = mesh["a"], mesh["b"]
    a.outgoing.send("b", "plan", b"rolls", "m1", 2 * a.limits.message_life_s)
    carry(mesh, "a", "b")
    assert b.handlers.handle() == 1
