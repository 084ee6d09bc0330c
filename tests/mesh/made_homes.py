"""Homes of peers for tests: founded, and joined by an invitation without a network."""

from __future__ import annotations

import time
from pathlib import Path

from glean.mesh.invitation_list import InvitationList
from glean.mesh.joining import Admission, ask_to_join, read_welcome
from glean.mesh.membership_files import found_mesh, write_entries
from glean.mesh.membership_store import MembershipStore
from glean.mesh.mesh_home import MeshFacts, MeshHome
from glean.mesh.mesh_invitation import new_mesh_invitation
from glean.privacy.peer_identity import PeerIdentity

LISTEN = "127.0.0.1:7700"


def founded_home(path: Path, name: str, title: str = "Test mesh") -> MeshHome:
    """The home of a peer that has founded a mesh."""
    home, identity = MeshHome(path), PeerIdentity.new()
    home.make()
    identity.write(home.path)
    entry = found_mesh(home, identity, name, title)
    home.note(MeshFacts(name, entry.id, title, entry.id, LISTEN, (LISTEN,)))
    return home


def joined_home(path: Path, inviter: MeshHome, name: str) -> MeshHome:
    """The home of a peer that was invited from another home."""
    home, identity, theirs = MeshHome(path), PeerIdentity.new(), store_of(inviter)
    home.make()
    identity.write(home.path)
    facts, invitations = inviter.facts(), InvitationList(inviter.invitations)
    key = PeerIdentity.read(inviter.path).public
    made = new_mesh_invitation(LISTEN, facts.mesh, key, name, expires_at=int(time.time()) + 60)
    invitations.add(made, now=time.time())
    answer = Admission(theirs, invitations).answer(
        str(identity.public), ask_to_join(made, identity)
    )
    welcome = read_welcome(made, identity, answer)
    write_entries(home, welcome.membership)
    home.note(MeshFacts(name, facts.mesh, facts.title, welcome.entry.id, LISTEN, (LISTEN,)))
    return home


def store_of(home: MeshHome) -> MembershipStore:
    """What a peer knows."""
    facts = home.facts()
    return MembershipStore(home, facts.mesh, facts.entry, PeerIdentity.read(home.path))
