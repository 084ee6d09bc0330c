"""Nodes over loopback: messages arrive, once, directly or through whom both know."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from glean.errors import FederationError
from glean.mesh.dead_letters import DeadLetter
from glean.mesh.guests import ask_as_guest
from glean.mesh.live_calls import CallRefusedError, LiveCall, PeerAwayError
from glean.mesh.mesh_node import MeshNode
from glean.mesh.message_store import MeshMessage
from glean.mesh.outgoing import UnknownPeerError
from glean.mesh.peer_directory import KnownPeer
from glean.outbox.outbox import OutboxFullError
from glean.privacy.peer_handshake import Mesh
from glean.privacy.peer_identity import PeerIdentity
from tests.mesh.mesh_nodes import QUICK, Peer, connected, introduce, peers, slower
from tests.processes import free_port, wait_until

PAIR = {"a": "b", "b": "a"}
CHAIN = {"a": "b", "b": "ac", "c": "b"}
LIMIT_S = 30.0


def soon(condition: Callable[[], bool], what: str) -> None:
    wait_until(condition, what, limit_s=LIMIT_S)


def test_two_peers_send_each_other(tmp_path: Path) -> None:
    """Small and large, in both directions; nothing is left that waits."""
    with peers(tmp_path, PAIR) as mesh:
        a, b = mesh["a"], mesh["b"]
        a.running.send("b", "plan", b"rolls")
        b.running.send("a", "plan", b"bread" * 200_000)
        a.running.send("b", "plan", b"")
        soon(lambda: len(a.taken) == 1 and len(b.taken) == 2, "messages")
        assert a.bodies() == [b"bread" * 200_000]
        assert sorted(b.bodies()) == [b"", b"rolls"]
        assert {m.sender for m in b.taken} == {"a"}
        soon(
            lambda: not (a.running.status().waiting or b.running.status().waiting),
            "acknowledgements",
        )


def test_a_pair_keeps_one_connection(tmp_path: Path) -> None:
    """Also where both call each other at the same moment."""
    with peers(tmp_path, PAIR) as mesh:
        a, b = mesh["a"], mesh["b"]
        connected((a, b), (b, a))
        soon(lambda: ends(a) == ends(b) and len(ends(a)) == 2, "the same connection at both")


def ends(peer: Peer) -> set[int]:
    """Ports of both ends of a peer's connection."""
    found: set[int] = set()
    for connection in peer.running._table.connections().values():
        try:
            places = (connection._socket.getpeername(), connection._socket.getsockname())
        except OSError:
            continue
        found |= {place[1] for place in places}
    return found


def test_a_message_goes_through_whom_both_know(tmp_path: Path) -> None:
    """Neither connects with the other, and the relay keeps nothing in the end."""
    with peers(tmp_path, CHAIN) as mesh:
        a, b, c = mesh["a"], mesh["b"], mesh["c"]
        a.running.send("c", "plan", b"rolls", "m1")
        soon(lambda: c.bodies() == [b"rolls"], "the message")
        soon(lambda: not a.running.status().waiting, "the acknowledgement")
        soon(lambda: not b.running.status().relayed, "an empty relay")
        assert a.running.neighbours() == ["b"]
        assert b.taken == []
        assert c.taken[0].message_id == "m1"


def test_a_relay_keeps_what_it_took_while_both_others_are_away(tmp_path: Path) -> None:
    """The sender goes, the receiver comes; and the acknowledgement waits for the sender."""
    with peers(tmp_path, CHAIN) as mesh:
        a, b, c = mesh["a"], mesh["b"], mesh["c"]
        connected((a, b))
        c.down()
        a.running.send("c", "plan", b"rolls")
        soon(lambda: b.running.status().relayed == {"c": 1}, "the message at the relay")
        a.down()
        c.up().start()
        soon(lambda: c.bodies() == [b"rolls"], "the message")
        soon(lambda: b.running.status().relayed == {"a": 1}, "the acknowledgement at the relay")
        soon(lambda: c.running.status().waiting == {}, "nothing waits at the receiver")
        a.up().start()
        soon(lambda: not a.running.status().waiting, "the acknowledgement")


def test_messages_wait_for_who_is_away_and_come_once(tmp_path: Path) -> None:
    """However often a peer goes and comes back."""
    with peers(tmp_path, PAIR) as mesh:
        a, b = mesh["a"], mesh["b"]
        for number in range(3):
            a.running.send("b", "plan", b"before")
            b.down()
            a.running.send("b", "plan", f"while away {number}".encode())
            b.up().start()
        soon(lambda: not a.running.status().waiting, "all acknowledgements")
        soon(lambda: len(b.taken) == 6, "all messages")
        assert sorted(b.bodies()) == [b"before"] * 3 + [
            f"while away {number}".encode() for number in range(3)
        ]


def test_the_same_name_is_handled_once(tmp_path: Path) -> None:
    """Sent twice at a time, and again when it was acknowledged, also after a restart of both."""
    with peers(tmp_path, PAIR) as mesh:
        a, b = mesh["a"], mesh["b"]
        for _ in range(2):
            a.running.send("b", "plan", b"rolls", "m1")
        soon(lambda: not a.running.status().waiting, "the acknowledgement")
        b.down()
        a.down()
        for peer in (a, b):
            peer.up().start()
        a.running.send("b", "plan", b"rolls", "m1")
        soon(lambda: not a.running.status().waiting, "another acknowledgement")
        assert b.bodies() == [b"rolls"]


def test_a_handler_that_fails_gets_its_message_again(tmp_path: Path) -> None:
    """And others aren't held up by it."""
    failures = iter([ValueError("busy"), FederationError("busy")])
    done: list[str] = []

    def handle(message: MeshMessage) -> None:
        for failure in failures:
            raise failure
        done.append(message.message_id)

    with peers(tmp_path, PAIR) as mesh:
        a, b = mesh["a"], mesh["b"]
        b.running.on("shy", handle)
        a.running.send("b", "shy", b"", "m1")
        a.running.send("b", "plan", b"rolls")
        soon(lambda: b.bodies() == [b"rolls"] and done == ["m1"], "both messages")


def test_a_message_waits_for_its_handler(tmp_path: Path) -> None:
    """It was taken, and is acknowledged, whoever comes to handle it."""
    later: list[bytes] = []
    with peers(tmp_path, PAIR) as mesh:
        a, b = mesh["a"], mesh["b"]
        a.running.send("b", "bill", b"10 rolls")
        soon(lambda: not a.running.status().waiting, "the acknowledgement")
        b.running.on("bill", lambda message: later.append(message.body))
        soon(lambda: later == [b"10 rolls"], "the message")
        with pytest.raises(FederationError, match="'bill': found a handler already"):
            b.running.on("bill", later.append)  # type: ignore[arg-type] # refused


def test_a_sender_hears_what_is_wrong_at_once(tmp_path: Path) -> None:
    """Unknown peers, kinds and names that are none, and an outbox that is full."""
    with peers(tmp_path, PAIR, limits=slower(QUICK, most_outbox_bytes=5000)) as mesh:
        a, b = mesh["a"], mesh["b"]
        b.down()
        for name in ("nobody", "a"):
            with pytest.raises(UnknownPeerError, match=f"to '{name}': found no other peer"):
                a.running.send(name, "plan", b"")
        with pytest.raises(FederationError, match="kind of a message: found ''"):
            a.running.send("b", "", b"")
        with pytest.raises(FederationError, match="name of a message: found 'acknowledgement-1'"):
            a.running.send("b", "plan", b"", "acknowledgement-1")
        with pytest.raises(FederationError, match="an envelope's message_id"):
            a.running.send("b", "plan", b"", "x" * 101)
        with pytest.raises(OutboxFullError, match="to 'b' beside 0 that wait"):
            a.running.send("b", "plan", b"x" * 5000)


def test_what_nobody_acknowledges_is_named(tmp_path: Path) -> None:
    """After its time, with whom it was for; also in a file."""
    told: list[DeadLetter] = []
    limits = slower(QUICK, message_life_s=1.0, clock_skew_s=0.0)
    a = Peer("a", tmp_path / "a", PAIR)
    b = Peer("b", tmp_path / "b", PAIR)
    introduce({"a": a, "b": b})
    with MeshNode(a.home, a.identity, a.directory, limits=limits, dead=told.append) as node:
        node.send("b", "plan", b"rolls", "m1")
        soon(lambda: len(told) == 1, "the dead letter")
        assert (told[0].message_id, told[0].sender, told[0].receiver) == ("m1", "a", "b")
        assert told[0].reason == "not acknowledged within 1 s, after 0 attempts"
        assert node.status().dead_letters == tuple(told)
    assert '"message_id": "m1"' in (a.home / "dead-letters.jsonl").read_text()


def test_peers_that_are_connected_tell_and_ask_each_other(tmp_path: Path) -> None:
    """With replies, refusals, and what becomes of both when one has gone."""
    told: list[bytes] = []
    with peers(tmp_path, PAIR) as mesh:
        a, b = mesh["a"], mesh["b"]
        connected((a, b), (b, a))
        b.running.on_tell("news", lambda call: told.append(call.body))
        b.running.on_ask("price", price)
        assert a.running.tell("b", "news", b"fresh")
        soon(lambda: told == [b"fresh"], "the news")
        assert a.running.ask("b", "price", b"rolls" * 10_000) == b"a: 50000"
        with pytest.raises(CallRefusedError, match="nothing to price"):
            a.running.ask("b", "price", b"")
        with pytest.raises(CallRefusedError, match="'colour' isn't answered here"):
            a.running.ask("b", "colour", b"rolls")
        b.down()
        soon(lambda: not a.running.neighbours(), "the end of the connection")
        assert not a.running.tell("b", "news", b"stale")
        with pytest.raises(PeerAwayError, match="it isn't connected"):
            a.running.ask("b", "price", b"rolls")


def price(call: LiveCall) -> bytes:
    if not call.body:
        raise FederationError("nothing to price")
    return f"{call.sender.name}: {len(call.body)}".encode()


def test_a_question_ends_when_the_other_has_gone(tmp_path: Path) -> None:
    """Or when its time is up."""
    held = threading.Event()

    def wait(call: LiveCall) -> bytes:
        held.wait(LIMIT_S)
        return call.body

    with peers(tmp_path, PAIR) as mesh:
        a, b = mesh["a"], mesh["b"]
        connected((a, b), (b, a))
        b.running.on_ask("wait", wait)
        with pytest.raises(PeerAwayError, match=r"'b' didn't reply to 'wait' within 0\.1 s"):
            a.running.ask("b", "wait", b"", timeout_s=0.1)
        held.set()


def test_a_guest_asks_what_is_for_guests_alone(tmp_path: Path) -> None:
    """With a key of its own; and only the peer that has the expected key is asked."""
    stranger = PeerIdentity.new()
    with peers(tmp_path, PAIR) as mesh:
        a = mesh["a"]
        a.running.on_ask("join", lambda call: call.sender.name.encode(), guests=True)
        a.running.on_ask("price", price)

        def ask(kind: str, expected: str = a.identity.public.fingerprint) -> bytes:
            return ask_as_guest(
                a.known.addresses[0], kind, b"token", identity=stranger, name="new",
                mesh=Mesh("four mills"), expected=expected, limits=QUICK,
            )  # fmt: skip

        assert ask("join") == b"new"
        with pytest.raises(CallRefusedError, match="isn't answered here, or not to guests"):
            ask("price")
        with pytest.raises(FederationError, match="wanted that of the peer that was called"):
            ask("join", PeerIdentity.new().public.fingerprint)
        assert a.running.status().refused == {}


def test_a_stranger_by_a_member_s_name_is_a_guest(tmp_path: Path) -> None:
    """Its key is another one."""
    with peers(tmp_path, PAIR) as mesh:
        a, b = mesh["a"], mesh["b"]
        connected((a, b), (b, a))
        members: list[bool] = []

        def member(call: LiveCall) -> bytes:
            members.append(call.member)
            return b""

        a.running.on_ask("who", member, guests=True)
        ask_as_guest(
            a.known.addresses[0], "who", b"", identity=PeerIdentity.new(), name="b",
            mesh=Mesh("four mills"), expected=a.identity.public.signing_key, limits=QUICK,
        )  # fmt: skip
        b.running.ask("a", "who", b"")
        assert members == [False, True]


def test_who_leaves_the_mesh_is_no_longer_connected(tmp_path: Path) -> None:
    """Nor taken from."""
    with peers(tmp_path, PAIR) as mesh:
        a, b = mesh["a"], mesh["b"]
        connected((a, b), (b, a))
        del a.directory.peers["b"]
        soon(lambda: not a.running.neighbours(), "the end of the connection")
        b.running.send("a", "plan", b"rolls")
        soon(lambda: bool(b.running.status().unreached.get("a")), "a reason")
        assert a.taken == []


@pytest.mark.parametrize(
    "sent", [b"GET / HTTP/1.1\r\n\r\n", b"\0\0", b"\xff\xff" + b"x" * 70_000, b"\0\x21" + b"x" * 33]
)
def test_noise_at_the_port_harms_nobody(tmp_path: Path, sent: bytes) -> None:
    """It is closed, and peers connect as before."""
    with peers(tmp_path, PAIR) as mesh:
        a, b = mesh["a"], mesh["b"]
        with socket.create_connection(("127.0.0.1", a.running.port), timeout=LIMIT_S) as noise:
            noise.sendall(sent)
            noise.shutdown(socket.SHUT_WR)
            with suppress(ConnectionResetError):
                assert noise.recv(10) == b""
        a.running.send("b", "plan", b"rolls")
        soon(lambda: b.bodies() == [b"rolls"], "the message")


def test_who_says_nothing_is_turned_away_in_time(tmp_path: Path) -> None:
    """And so many of them keep nobody out for longer than that."""
    limits = slower(QUICK, handshake_s=0.5)
    with peers(tmp_path, {"a": ""}, limits=limits) as mesh:
        a = mesh["a"]
        place = ("127.0.0.1", a.running.port)
        silent = [socket.create_connection(place, timeout=LIMIT_S) for _ in range(3)]
        try:
            assert [connection.recv(1) for connection in silent] == [b"", b"", b""]
        finally:
            for connection in silent:
                connection.close()


def test_one_machine_keeps_no_other_from_saying_who_it_is(tmp_path: Path) -> None:
    """However many connections it opens without a word."""
    limits = slower(QUICK, handshake_s=2 * LIMIT_S, most_handshakes=4)
    with peers(tmp_path, {"a": "", "b": ""}, limits=limits) as mesh, ExitStack() as opened:
        a, b = mesh["a"], mesh["b"]
        place = ("127.0.0.1", a.running.port)
        for _ in range(8):
            silent = socket.create_connection(place, LIMIT_S, source_address=("127.0.0.2", 0))
            opened.enter_context(silent)
        b.directory.ways = {"a": "b", "b": "a"}
        connected((b, a))


def test_who_never_answers_holds_up_no_end(tmp_path: Path) -> None:
    """A peer that closes doesn't wait for calls that it has begun."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        a, b = Peer("a", tmp_path / "a", PAIR), Peer("b", tmp_path / "b", PAIR)
        b._port = silent.getsockname()[1]
        introduce({"a": a, "b": b})
        with MeshNode(a.home, a.identity, a.directory, limits=slower(QUICK, handshake_s=LIMIT_S)):
            silent.settimeout(LIMIT_S)
            called, _ = silent.accept()
            began = time.monotonic()
        assert time.monotonic() - began < LIMIT_S / 3
        called.close()


def test_an_address_that_no_host_can_have_is_named(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    """Another peer's card may have it; the next address of that peer is tried."""
    with peers(tmp_path, PAIR) as mesh:
        a, b = mesh["a"], mesh["b"]
        connected((a, b), (b, a))
        b.down()
        bad = KnownPeer("b", b.identity.public, ("a..b:7700", f"{'x' * 70}.test:7700"))
        a.directory.peers["b"] = bad
        soon(lambda: "can't be reached" in a.running.status().unreached.get("b", ""), "a reason")
        b.directory.ways = {}
        b.up().start()
        a.directory.peers["b"] = replace(bad, addresses=(*bad.addresses, *b.known.addresses))
        connected((a, b))
    assert not recwarn.list


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 on this machine")
def test_all_addresses_are_those_of_both_families(tmp_path: Path) -> None:
    """A peer that listens at [::] is reached by IPv4, which is what it tells others."""
    a, b = Peer("a", tmp_path / "a", {}), Peer("b", tmp_path / "b", PAIR)
    with ExitStack() as nodes:
        nodes.callback(a.down)
        nodes.callback(b.down)
        a.up(at="::")
        b.up()
        introduce({"a": a, "b": b})
        a.running.start()
        b.running.start()
        connected((b, a))


def test_one_home_has_one_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a port that is taken is named; nothing stays open."""
    monkeypatch.setattr("glean.outbox.message_file._WAIT_S", 0.1)
    with peers(tmp_path, PAIR) as mesh:
        a = mesh["a"]
        with pytest.raises(FederationError, match="in use by another process"):
            MeshNode(a.home, a.identity, a.directory)
        port = a.running.port
        b = mesh["b"]
        b.down()
        with pytest.raises(FederationError, match=f"can't listen at 127.0.0.1:{port}"):
            MeshNode(b.home, b.identity, b.directory, listen=("127.0.0.1", port))
        b.up().start()


def test_a_neighbour_that_can_t_be_reached_is_named(tmp_path: Path) -> None:
    """With the reason."""
    a, b = Peer("a", tmp_path / "a", PAIR), Peer("b", tmp_path / "b", PAIR)
    b._port = free_port()
    introduce({"a": a, "b": b})
    with MeshNode(a.home, a.identity, a.directory, limits=QUICK) as node:
        soon(lambda: "Connection refused" in node.status().unreached["b"], "the reason")
