"""Peers that run, over loopback: they let the invited in, gossip, relay, and say farewell."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from glean.errors import GleanError
from glean.mesh import mesh_peer as module
from glean.mesh.membership_entry import MembershipError
from glean.mesh.mesh_home import MeshHome
from glean.mesh.mesh_limits import MeshLimits
from glean.mesh.mesh_peer import MeshPeer, leave_mesh, say_farewell
from glean.mesh.mesh_status import mesh_status
from glean.mesh.peer_homes import found_home, invite_from, join_from, listen_at, listening_of
from glean.mesh.topology import Relay, Topology, read_topology
from glean.privacy.peer_identity import ENCRYPTION_FILE, PeerIdentity
from tests.mesh.made_meshes import NAMES
from tests.processes import free_port, wait_until

A, B, C, D, *_ = NAMES
LIMIT_S = 30.0
QUICK = MeshLimits(first_backoff_s=0.1, longest_backoff_s=0.5)


class Peers:
    """Peers of one mesh in a scratch folder, each ended at the end."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self._stack = folder, stack
        self.running: dict[str, MeshPeer] = {}

    def home(self, name: str) -> MeshHome:
        return MeshHome(self.folder / name.replace(" ", "-"))

    def found(self, name: str, *, rsa_accepted: bool = False) -> MeshHome:
        listening = listening_of(f"127.0.0.1:{free_port()}", ())
        return found_home(
            self.home(name).path, name, "Test mesh", listening, rsa_accepted=rsa_accepted
        )

    def join(self, inviter: str, name: str, key: str = "ed25519") -> MeshHome:
        made = invite_from(self.home(inviter), name, days=1)
        listening = listening_of(f"127.0.0.1:{free_port()}", ())
        return join_from(self.home(name).path, made, listening, key=key)

    def run(self, name: str) -> MeshPeer:
        peer = self._stack.enter_context(MeshPeer(self.home(name), limits=QUICK))
        self.running[name] = peer
        return peer

    def topology(self, name: str) -> Topology:
        found = read_topology(self.home(name).topology)
        return found or Topology("", "", name, 0.0)

    def wait_for_members(self, *names: str, at: str) -> None:
        wait_until(
            lambda: {one.name for one in self.topology(at).peers} == set(names),
            f"{at} knows {names}",
            limit_s=LIMIT_S,
        )


@pytest.fixture
def peers(tmp_path: Path) -> Iterator[Peers]:
    """Nobody yet."""
    with ExitStack() as stack:
        yield Peers(tmp_path, stack)


def test_the_invited_are_let_in_and_known_to_all(peers: Peers) -> None:
    """By whoever invited them; each is everybody's neighbour then."""
    peers.found(A)
    peers.run(A)
    peers.join(A, B)
    peers.run(B)
    peers.join(B, C)
    peers.run(C)
    for name in (A, B, C):
        peers.wait_for_members(A, B, C, at=name)
    wait_until(
        lambda: all(len(peers.topology(name).links) == 3 for name in (A, B, C)),
        "all are connected",
        limit_s=LIMIT_S,
    )
    assert peers.topology(A).relays == ()


@pytest.mark.slow
def test_one_that_both_reach_relays_for_two(peers: Peers) -> None:
    """Who doesn't reach whom, says so; a message goes through, and the topology shows how."""
    peers.found(A)
    peers.run(A)
    for name in (B, C):
        peers.join(A, name)
    peers.running[A].close()
    for name in (A, C):  # they can't be called: each calls the one that both reach
        listen_at(peers.home(name), listening_of(f"127.0.0.1:{free_port()}", ["127.0.0.1:1"]))
    cards = {name: peers.home(name).cards for name in (A, B, C)}
    for path in cards.values():
        path.unlink(missing_ok=True)
    peers.run(B)
    b = peers.home(B).facts().addresses
    for name in (A, C):
        card = peers.running[B].store.sign_card(addresses=b, neighbours=[])
        assert card is not None
        peer = peers.run(name)
        peer.store.offer_cards([card])
    wait_until(
        lambda: peers.topology(B).relays == (Relay(B, min(A, C), max(A, C)),),
        "B relays between A and C",
        limit_s=LIMIT_S,
    )
    wait_until(
        lambda: {one.name: one.via for one in peers.topology(A).peers}[C] == B,
        "A reaches C through B",
        limit_s=LIMIT_S,
    )
    got: list[bytes] = []
    peers.running[C].node.on("greeting", lambda message: got.append(message.body))
    peers.running[A].node.send(C, "greeting", b"bread")
    wait_until(lambda: got == [b"bread"], "the greeting came", limit_s=LIMIT_S)
    wait_until(
        lambda: peers.topology(A).relays == (Relay(B, min(A, C), max(A, C), seen=True),),
        "A hears that B has passed something on",
        limit_s=LIMIT_S,
    )


def test_a_kill_between_the_two_keys_is_gone_on_from(tmp_path: Path) -> None:
    """The first one stays, and nothing has to be taken away by hand."""
    home = MeshHome(tmp_path / "home")
    home.make()
    identity = PeerIdentity.new()
    identity.write(home.path)
    (home.path / ENCRYPTION_FILE).unlink()
    made = found_home(home.path, A, "Test mesh", listening_of("127.0.0.1:7700", ()))
    assert PeerIdentity.read(made.path).public.signing_key == identity.public.signing_key


def test_who_leaves_is_let_go_by_all(peers: Peers) -> None:
    """Also one that wasn't asked; and by the name it can be invited again."""
    peers.found(A)
    peers.run(A)
    for name in (B, C):
        peers.join(A, name)
        peers.run(name)
    for name in (A, B, C):
        peers.wait_for_members(A, B, C, at=name)
    peers.running[B].close()
    assert leave_mesh(peers.home(B), within_s=LIMIT_S)
    assert (peers.home(B).facts().left, peers.home(B).facts().told) == (True, True)
    for name in (A, C):
        peers.wait_for_members(A, C, at=name)
        assert peers.topology(name).left == (B,)
    with pytest.raises(MembershipError, match="doesn't belong to the mesh any more"):
        peers.run(B)
    peers.join(A, B)
    peers.run(B)
    for name in (A, B, C):
        peers.wait_for_members(A, B, C, at=name)


def test_one_that_runs_hears_that_it_leaves(peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process signs it; the peer that runs tells the others."""
    monkeypatch.setattr(module, "LEAVE_S", 0.5)
    peers.found(A)
    peers.run(A)
    peers.join(A, B)
    peer = peers.run(B)
    peers.wait_for_members(A, B, at=B)
    wait_until(lambda: peer.node.neighbours() == [A], "they are connected", limit_s=LIMIT_S)
    with peers.home(B).exclusively():
        assert not leave_mesh(peers.home(B), within_s=0.0), "the other process hasn't ended yet"
    wait_until(lambda: peer.has_left, "it has heard that", limit_s=LIMIT_S)
    assert say_farewell(peers.home(B), peer, within_s=LIMIT_S)
    peers.wait_for_members(A, at=A)


def test_one_that_nobody_hears_leaves_alone(peers: Peers) -> None:
    """It is signed and kept; and told once somebody can be."""
    peers.found(A)
    first = peers.run(A)
    peers.join(A, B)
    first.close()
    assert not leave_mesh(peers.home(B), within_s=1.0)
    status = mesh_status(peers.home(B))
    assert (status.topology.left, status.facts.told) == ((B,), False)
    peers.run(A)
    assert leave_mesh(peers.home(B), within_s=LIMIT_S)
    peers.wait_for_members(A, at=A)


def test_the_last_one_leaves_without_telling_anybody(peers: Peers) -> None:
    """There is nobody to tell."""
    home = peers.found(A)
    assert leave_mesh(home, within_s=1.0)


def test_a_mesh_with_rsa_keys_lets_both_kinds_in(peers: Peers) -> None:
    """And they connect."""
    peers.found(A, rsa_accepted=True)
    peers.run(A)
    peers.join(A, B, key="rsa-2048")
    peers.run(B)
    wait_until(
        lambda: peers.topology(A).links == (tuple(sorted((A, B))),), "they are connected",
        limit_s=LIMIT_S,
    )  # fmt: skip


def test_a_link_is_used_up_and_its_own_home_knows_it(peers: Peers) -> None:
    """Typed once more at the same bakery nothing changes; elsewhere nobody is let in."""
    peers.found(A)
    peers.run(A)
    made = invite_from(peers.home(A), B, days=1)
    listening = listening_of(f"127.0.0.1:{free_port()}", ())
    first = join_from(peers.home(B).path, made, listening)
    before = first.membership.read_bytes()
    assert join_from(first.path, made, listening).membership.read_bytes() == before
    with pytest.raises(GleanError, match="used before"):
        join_from(peers.home(C).path, made, listening)
    with pytest.raises(GleanError, match="is the home of"):
        join_from(first.path, invite_from(peers.home(A), C, days=1), listening)
    with pytest.raises(GleanError, match="belongs to the mesh already"):
        invite_from(peers.home(A), B.upper(), days=1)
    assert oct(first.path.stat().st_mode)[-3:] == "700"
    for path in first.path.iterdir():
        assert oct(path.stat().st_mode)[-3:] in ("600", "700"), path


def test_who_isn_t_there_is_said_so(peers: Peers) -> None:
    """A member that doesn't run, and one whose address another peer has."""
    peers.found(A)
    made = invite_from(peers.home(A), B, days=1)
    listening = listening_of(f"127.0.0.1:{free_port()}", ())
    with pytest.raises(GleanError, match="can't be reached"):
        join_from(peers.home(B).path, made, listening)
    other = found_home(peers.home(C).path, C, "Another mesh", listening_of(made.address, ()))
    with MeshPeer(other), pytest.raises(GleanError):
        join_from(peers.home(B).path, made, listening)


def test_the_address_that_others_are_told_leads_to_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the machine's routes say; without any, one has to be typed."""
    assert listening_of("", (), towards="127.0.0.1:7700").addresses == ("127.0.0.1:7700",)
    assert listening_of("[::]:7701", (), towards="[::1]:7700").addresses == ("[::1]:7701",)
    assert listening_of("", ["mill.example:80"]).addresses == ("mill.example:80",)
    assert listening_of("10.0.0.1:7700", ()).addresses == ("10.0.0.1:7700",)

    def no_network(*_: object) -> None:
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    with pytest.raises(MembershipError, match="wanted --address"):
        listening_of("", ())
