"""A member, or a guest, that sends what it shouldn't harms only its own connection."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from glean.mesh import guests as module
from glean.mesh.connecting import dial
from glean.mesh.frames import Packet, PacketKind, write_frame
from glean.mesh.live_calls import LiveCall
from glean.mesh.message_store import KEY_BYTES, envelope_key
from glean.mesh.peer_connection import PeerConnection
from glean.privacy.peer_handshake import Mesh
from glean.privacy.peer_identity import PeerIdentity
from glean.privacy.sealed_envelope import EnvelopeHead, seal
from tests.mesh.mesh_nodes import QUICK, Peer, introduce, slower
from tests.processes import wait_until

LIMIT_S = 30.0


@dataclass
class RawPeer:
    """A connection of somebody who keeps to the handshake, and to nothing else."""

    connection: PeerConnection
    packets: queue.Queue[Packet] = field(default_factory=queue.Queue)
    ended: threading.Event = field(default_factory=threading.Event)

    def send(self, kind: PacketKind, content: bytes) -> None:
        assert self.connection.offer(Packet(kind, content))

    def end(self) -> str:
        """Wait for the other side to close; why it did."""
        assert self.ended.wait(LIMIT_S)
        return self.connection.closed


class KnownToAll(Peer):
    """A peer, with the others' identities for a test to speak by."""

    b: PeerIdentity
    c: PeerIdentity


@pytest.fixture
def a(tmp_path: Path) -> Iterator[KnownToAll]:
    """A peer that is up and knows others, b and c, which aren't."""
    peer = KnownToAll("a", tmp_path / "a", {})
    b, c = (Peer(name, tmp_path / name, {}) for name in "bc")
    introduce({"a": peer, "b": b, "c": c})
    peer.b, peer.c = b.identity, c.identity
    peer.up(slower(QUICK, most_message_bytes=100_000)).start()
    yield peer
    peer.down()


@contextmanager
def connected(a: KnownToAll, identity: PeerIdentity, name: str) -> Iterator[RawPeer]:
    """Connect to a as somebody."""
    connection = dial(
        f"127.0.0.1:{a.running.port}", identity, name, Mesh("four mills"),
        expected=a.identity.public.signing_key, limits=QUICK,
    )  # fmt: skip
    raw = RawPeer(connection)
    connection.start(lambda _, packet: raw.packets.put(packet), lambda *_: raw.ended.set())
    try:
        yield raw
    finally:
        connection.close("over")
        connection.join(LIMIT_S)


def envelope(a: KnownToAll, body: bytes = b"rolls") -> bytes:
    """An envelope packet of b for a: hands, key, and the sealed message "m1"."""
    now = int(1000 * time.time())
    head = EnvelopeHead("four mills", "b", "a", "m1", now, now + 60_000)
    sealed = seal(head, "plan", body, sender=a.b, receiver=a.identity.public)
    return b"\x03" + bytes.fromhex(envelope_key("b", "m1")) + sealed.to_bytes()


def works(a: KnownToAll) -> None:
    """A member connects and is heard as before."""
    before = len(a.taken)
    with connected(a, a.b, "b") as raw:
        raw.send(PacketKind.ENVELOPE, envelope(a))
        assert next_receipt(raw)[KEY_BYTES:] == b'["stored", ""]'
    wait_until(lambda: len(a.taken) == max(before, 1), "the message", limit_s=LIMIT_S)


@pytest.mark.parametrize(
    ("kind", "content", "words"),
    [
        (PacketKind.ENVELOPE, b"", "envelope of 0 bytes"),
        (PacketKind.ENVELOPE, bytes(KEY_BYTES), "envelope of 16 bytes"),
        (PacketKind.ENVELOPE, bytes(200_000), "packet of 200000 bytes; wanted at most"),
        (PacketKind.RECEIPT, b"", "for a receipt"),
        (PacketKind.RECEIPT, bytes(KEY_BYTES) + b"[1]", "for a receipt"),
        (PacketKind.TELL, b"", "a call that was cut off"),
        (PacketKind.ASK, bytes(8) + b"\x09join", "a call that was cut off"),
    ],
)
def test_a_packet_that_is_none_ends_its_connection(
    a: KnownToAll,
    kind: PacketKind,
    content: bytes,
    words: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With the reason; and the peer goes on."""
    caplog.set_level(logging.INFO, "glean.mesh")
    with connected(a, a.b, "b") as raw:
        raw.send(kind, content)
        raw.end()
        # The other side need not hear why: it may still be sending then.
        wait_until(lambda: words in caplog.text, "the reason", limit_s=LIMIT_S)
    works(a)


def test_an_envelope_that_is_none_is_refused(a: KnownToAll) -> None:
    """The connection stays: other envelopes that it carries may be good."""
    with connected(a, a.b, "b") as raw:
        raw.send(PacketKind.ENVELOPE, b"\x03" + bytes(KEY_BYTES) + b"noise")
        receipt = raw.packets.get(timeout=LIMIT_S)
        assert b'"refused", "found b\'noise\' for an envelope' in receipt.content
        assert a.running.status().refused == {"b": 1}
        raw.send(PacketKind.ENVELOPE, envelope(a))
        assert b'["stored", ""]' in next_receipt(raw)


def test_a_repeated_envelope_has_no_further_effect(a: KnownToAll) -> None:
    """On the same connection, on another one, and brought by another peer."""
    recorded = envelope(a)
    for _ in range(2):
        with connected(a, a.b, "b") as raw:
            for _ in range(3):
                raw.send(PacketKind.ENVELOPE, recorded)
                assert b'["stored", ""]' in next_receipt(raw)
    wait_until(lambda: bool(a.taken), "the message", limit_s=LIMIT_S)
    works(a)
    assert a.bodies() == [b"rolls"]


def next_receipt(raw: RawPeer) -> bytes:
    """The next receipt; acknowledgements may come in between."""
    while (packet := raw.packets.get(timeout=LIMIT_S)).kind is not PacketKind.RECEIPT:
        pass
    return packet.content


def test_a_guest_may_only_ask(a: KnownToAll) -> None:
    """An envelope of a member in its hands is refused with the connection."""
    with connected(a, PeerIdentity.new(), "stranger") as raw:
        raw.send(PacketKind.ENVELOPE, envelope(a))
        assert "'stranger' isn't known here as a peer of the mesh" in raw.end()
    assert a.taken == []
    works(a)


def test_a_frame_that_isn_t_encrypted_for_it_ends_the_connection(a: KnownToAll) -> None:
    """Somebody in between adds to the stream."""
    with connected(a, a.b, "b") as raw:
        write_frame(raw.connection._socket, b"x" * 100)
        assert "changed, repeated or left out" in raw.end()
    works(a)


def test_who_tells_much_fills_nothing(a: KnownToAll) -> None:
    """What isn't handled in time is dropped, and the connection stays."""
    held = threading.Event()
    done: list[int] = []

    def handle(_: object) -> None:
        held.wait(LIMIT_S)
        done.append(1)

    a.running.on_tell("news", handle)
    with connected(a, a.b, "b") as raw:
        for _ in range(3000):
            told(raw, lambda: raw.connection.offer(Packet(PacketKind.TELL, b"\x04newsx")))
        raw.send(PacketKind.ENVELOPE, envelope(a))
        assert b'["stored", ""]' in next_receipt(raw)
        held.set()
    wait_until(lambda: len(done) >= 250, "what was kept", limit_s=LIMIT_S)
    assert len(done) <= 251


def test_what_is_told_fills_no_memory(a: KnownToAll) -> None:
    """Of large messages fewer are kept than of small ones; of others' all the same."""
    held = threading.Event()
    done: list[LiveCall] = []

    def handle(call: LiveCall) -> None:
        held.wait(LIMIT_S)
        done.append(call)

    a.running.on_tell("news", handle)
    with connected(a, a.b, "b") as raw:
        content = b"\x04news" + bytes(90_000)
        for _ in range(200):
            told(raw, lambda: raw.connection.offer(Packet(PacketKind.TELL, content)))
        raw.send(PacketKind.ENVELOPE, envelope(a))
        assert b'["stored", ""]' in next_receipt(raw)
        # As large as those before, so that it doesn't overtake them.
        told(raw, lambda: raw.connection.offer(Packet(PacketKind.ASK, bytes(8) + content)))
        next_reply(raw)
        with connected(a, a.c, "c") as other:
            other.send(PacketKind.TELL, b"\x04newsx")
            other.send(PacketKind.ASK, bytes(8) + b"\x04none")
            next_reply(other)
            held.set()
            wait_until(
                lambda: "c" in {one.sender.name for one in list(done)}, "news", limit_s=LIMIT_S
            )
    # One more is in hand, where that was handed over before the others came.
    assert len(done) - 1 - 8 * 2**20 // 90_000 in (0, 1)


def test_guests_that_ask_much_keep_no_member_from_asking(a: KnownToAll) -> None:
    """They are answered after each other, apart from members."""
    held = threading.Event()

    def wait(call: LiveCall) -> bytes:
        if not call.member:
            held.wait(LIMIT_S)
        return b"done"

    a.running.on_ask("join", wait, guests=True)
    with ExitStack() as guests:
        for _ in range(5):
            guest = guests.enter_context(connected(a, PeerIdentity.new(), "stranger"))
            for _ in range(20):
                guest.send(PacketKind.ASK, bytes(8) + b"\x04join")
            # Of each so many wait, and no more: this one is told so.
            assert b"too many questions at a time" in next_reply(guest)
        with connected(a, a.b, "b") as raw:
            raw.send(PacketKind.ASK, bytes(8) + b"\x04join")
            assert next_reply(raw) == bytes(8) + b"\x01done"
        held.set()


def test_guests_that_stay_make_room_for_others(
    a: KnownToAll, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once they have had time enough to ask."""
    a.running.on_ask("join", lambda _: b"done", guests=True)
    with ExitStack() as guests:
        here = [
            guests.enter_context(connected(a, PeerIdentity.new(), f"stranger {number}"))
            for number in range(QUICK.most_handshakes)
        ]
        for one in here:
            one.send(PacketKind.ASK, bytes(8) + b"\x04join")
            assert next_reply(one) == bytes(8) + b"\x01done"
        turned_away = guests.enter_context(connected(a, PeerIdentity.new(), "one too many"))
        assert "too many guests" in turned_away.end()
        monkeypatch.setattr(module, "_ENOUGH_S", 0.0)
        late = guests.enter_context(connected(a, PeerIdentity.new(), "late"))
        late.send(PacketKind.ASK, bytes(8) + b"\x04join")
        assert next_reply(late) == bytes(8) + b"\x01done"
        assert here[0].end() == "other guests wait"


def next_reply(raw: RawPeer) -> bytes:
    """The next reply."""
    while (packet := raw.packets.get(timeout=LIMIT_S)).kind is not PacketKind.REPLY:
        pass
    return packet.content


def told(raw: RawPeer, offer: Callable[[], bool]) -> None:
    """Tell it as soon as there is room in the queue."""
    while not offer():
        assert not raw.connection.closed
        time.sleep(0.001)
