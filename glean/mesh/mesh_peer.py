"""A peer that runs: its node, and what it knows of the mesh, kept up to date by gossip."""

from __future__ import annotations

import json
import logging
import threading
import time
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Self

from glean.errors import FederationError, GleanError
from glean.mesh.addresses import host_and_port
from glean.mesh.gossip import NEWS, SUMMARY, Gossip
from glean.mesh.invitation_list import InvitationList
from glean.mesh.joining import Admission
from glean.mesh.live_calls import LiveCall
from glean.mesh.member_directory import MemberDirectory
from glean.mesh.membership_entry import MembershipError, read_entry
from glean.mesh.mesh_home import MeshHome
from glean.mesh.mesh_limits import MeshLimits
from glean.mesh.mesh_node import MeshNode
from glean.mesh.peer_card import MOST_RELAYED
from glean.mesh.peer_homes import JOIN, open_store
from glean.mesh.topology import topology_of
from glean.privacy.peer_identity import PeerIdentity

LOG = logging.getLogger(__name__)

LOOK_S = 0.5
GOSSIP_S = 5.0
"""How often neighbours are told a summary."""

CARD_S = 30.0
"""How often a peer signs anew where it is; sooner where something has changed."""

FAREWELL = "membership-farewell"
"""What a peer asks the others that leaves: to take that."""

ASK_S = 10.0
LEAVE_S = 20.0
"""So long a peer that leaves tries to tell somebody."""


class MeshPeer:
    """A peer of a mesh, from `start` to `close`.

    Parameters
    ----------
    home : MeshHome
        Its home, which no other process uses meanwhile.
    limits : MeshLimits or None
        Bounds of its node.
    leaves : bool
        Whether it runs only to tell the others that it has left.

    Raises
    ------
    GleanError
        The home can't be read, the peer has left, or it can't listen.
    """

    def __init__(
        self, home: MeshHome, *, limits: MeshLimits | None = None, leaves: bool = False
    ) -> None:
        facts = home.facts()
        self._home, self._facts = home, facts
        self.store = open_store(home)
        if self.store.own is None and not leaves:
            raise MembershipError(
                f"{home.path}: {facts.name!r} doesn't belong to the mesh any more; wanted a "
                "member. To come back: `glean mesh join LINK` with a new invitation"
            )
        self._admission = Admission(self.store, InvitationList(home.invitations))
        self.directory = MemberDirectory(self.store, facts.name)
        self.node = MeshNode(
            home.path,
            PeerIdentity.read(home.path),
            self.directory,
            listen=host_and_port(facts.listen),
            limits=limits,
        )
        self._gossip = Gossip(self.store, _Told(self.node), changed=self._hurry)
        self._stopped, self._soon = threading.Event(), threading.Event()
        self._told: tuple[object, ...] = ()
        self._written: tuple[object, ...] = ()
        self._thread = threading.Thread(target=self._work, name="mesh peer", daemon=True)
        for kind in (SUMMARY, NEWS):
            self.node.on_tell(kind, self._take_gossip)
        self.node.on_ask(JOIN, self._let_in, guests=True)
        # Whoever heard of it already takes this peer for a guest.
        self.node.on_ask(FAREWELL, self._hear_farewell, guests=True)

    @property
    def listening(self) -> str:
        """HOST:PORT, where it listens."""
        host = self._facts.listen.rpartition(":")[0]
        return f"{host}:{self.node.port}"

    @property
    def has_left(self) -> bool:
        """Whether it belongs to the mesh no longer."""
        return self.store.own is None

    def start(self) -> None:
        """Begin to listen, to connect and to gossip."""
        self.node.start()
        self._thread.start()

    def close(self) -> None:
        """Let go of everything; what is known stays in the home."""
        self._stopped.set()
        self._soon.set()
        if self._thread.is_alive():
            self._thread.join()
        self.node.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def say_farewell(self, *, within_s: float = LEAVE_S) -> bool:
        """Tell another member that this one has left; whether one has taken it, or none is left."""
        entry = self._own_leave()
        deadline = time.monotonic() + within_s
        while self.directory.names() and time.monotonic() < deadline:
            for name in self.node.neighbours():
                with suppress(FederationError):
                    self.node.ask(name, FAREWELL, entry, timeout_s=ASK_S)
                    return True
            self._stopped.wait(LOOK_S)
        return not self.directory.names()

    def look(self) -> None:
        """Take in what changed, sign and tell what is new, and write who reaches whom."""
        if self.store.refresh():
            self._hurry()
        own = self.store.own
        neighbours = self.node.neighbours()
        now = time.time()
        heard = dict.fromkeys(neighbours, now)
        relayed = tuple(self.node.passed_on()[:MOST_RELAYED])
        state = (tuple(neighbours), relayed, own, int(now / CARD_S))
        if own is not None and state != self._told:
            self._told = state
            self.store.sign_card(
                addresses=self._facts.addresses, neighbours=neighbours, relayed=relayed
            )
            self.store.save_cards()
            self._hurry()
        self._write_topology(now, heard)

    def _write_topology(self, now: float, heard: dict[str, float]) -> None:
        """Write who reaches whom: where that has changed, else now and then."""
        found = topology_of(
            self.store.membership,
            self.store.member_cards(),
            self._facts.name,
            heard,
            now=now,
            refused=self.store.refused,
        )
        state = (
            int(now / GOSSIP_S),
            [(one.name, one.state, one.via) for one in found.peers],
            (found.links, found.relays, found.left, found.refused),
        )
        if state != self._written:
            self._written = state
            found.write(self._home.topology)

    def _work(self) -> None:
        next_at = 0.0
        while not self._stopped.is_set():
            try:
                self.look()
                due = self._soon.is_set() or time.monotonic() >= next_at
                if due and not self.has_left:  # who has left asks only to be let go
                    self._soon.clear()
                    next_at = time.monotonic() + GOSSIP_S
                    self._gossip.tell()
            except (GleanError, OSError) as error:
                # A full disk, say: it is tried again, and members go on being served.
                LOG.warning("mesh: %s", error)
            self._stopped.wait(LOOK_S)

    def _hurry(self) -> None:
        self._soon.set()

    def _take_gossip(self, call: LiveCall) -> None:
        self._gossip.take(call.sender.name, call.kind, call.body)

    def _own_leave(self) -> bytes:
        membership = self.store.membership
        left = (one.head for one in membership.view.left if one.entry == self._facts.entry)
        return next((json.dumps(membership.entries[e].content()).encode() for e in left), b"")

    def _hear_farewell(self, call: LiveCall) -> bytes:
        try:
            entry = read_entry(json.loads(call.body))
        except (ValueError, RecursionError) as error:
            raise MembershipError(f"a farewell: found {call.body[:60]!r}") from error
        joined = self.store.membership.entries.get(entry.author)
        key = str(call.sender.key)
        if entry.kind != "leave" or joined is None or not key == entry.key == joined.key:
            raise MembershipError("a farewell: found an entry of another kind, or of somebody else")
        for refusal in self.store.offer([entry]):
            raise MembershipError(refusal.text)
        self._hurry()
        return b""

    def _let_in(self, call: LiveCall) -> bytes:
        answer = self._admission.answer(str(call.sender.key), call.body)
        self._hurry()
        return answer


class _Told:
    """Gossip goes to peers that are connected; nobody keeps it for others."""

    def __init__(self, node: MeshNode) -> None:
        self._node = node

    def send(self, peer: str, kind: str, body: bytes) -> None:
        self._node.tell(peer, kind, body)

    def neighbours(self) -> list[str]:
        return self._node.neighbours()


def leave_mesh(home: MeshHome, *, within_s: float = LEAVE_S) -> bool:
    """Leave the mesh, and tell somebody; whether that was possible, or nobody else is there.

    Raises
    ------
    GleanError
        The home can't be read.
    """
    # A kill may have come between the two files; and what this peer has countersigned at the same
    # moment counts in place of a leave, which is signed once more then.
    open_store(home).leave()
    home.note(replace(home.facts(), left=True))
    if home.runs:  # that peer tells, and ends
        deadline = time.monotonic() + within_s + LEAVE_S
        while home.runs and time.monotonic() < deadline:
            time.sleep(LOOK_S)
        return home.facts().told
    with home.exclusively(), MeshPeer(home, leaves=True) as peer:
        return say_farewell(home, peer, within_s=within_s)


def say_farewell(home: MeshHome, peer: MeshPeer, *, within_s: float = LEAVE_S) -> bool:
    """Have a peer that has left tell the others, and note whether that was possible."""
    told = peer.say_farewell(within_s=within_s)
    home.note(replace(home.facts(), left=True, told=told))
    return told
