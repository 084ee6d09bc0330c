"""A home of a peer is made: by founding a mesh, or by joining one; and what is done from there."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from glean.errors import CertificateError
from glean.mesh.addresses import host_and_port
from glean.mesh.guests import ask_as_guest
from glean.mesh.invitation_list import InvitationList
from glean.mesh.joining import Welcome, ask_to_join, read_welcome
from glean.mesh.member_keys import public_key
from glean.mesh.membership_entry import MembershipError, check_title
from glean.mesh.membership_files import found_mesh, write_entries
from glean.mesh.membership_store import MembershipStore
from glean.mesh.mesh_home import DEFAULT_LISTEN, MeshFacts, MeshHome, new_home
from glean.mesh.mesh_invitation import MeshInvitation, new_mesh_invitation
from glean.mesh.peer_card import check_address
from glean.privacy.members import folder_name
from glean.privacy.peer_handshake import Mesh
from glean.privacy.peer_identity import SIGNING_FILE, PeerIdentity
from glean.regular_files import read_regular

JOIN = "join"
"""What a guest asks who shows an invitation."""

_ANYWHERE = ("0.0.0.0", "[::]")  # noqa: S104 # nosec B104 # compared with, not listened at
_ELSEWHERE = "192.0.2.1:9"
"""An address that there is nowhere (RFC 5737): nothing is sent there."""


@dataclass(frozen=True)
class Listening:
    """Where a peer listens.

    Parameters
    ----------
    listen : str
        HOST:PORT.
    addresses : tuple of str
        HOST:PORT, by which others reach it.
    """

    listen: str
    addresses: tuple[str, ...]


def listening_of(listen: str, addresses: Iterable[str], *, towards: str = _ELSEWHERE) -> Listening:
    """Complete what was typed.

    Parameters
    ----------
    listen : str
        HOST:PORT; "" for the default.
    addresses : iterable of str
        HOST:PORT, by which others reach it; none: this machine's own on the network that leads to
        `towards`.
    towards : str
        HOST:PORT of another peer.

    Raises
    ------
    MembershipError
        An address can't be one; or none was typed, and no network leads there.
    """
    listen = check_address(listen or DEFAULT_LISTEN)
    found = tuple(map(check_address, addresses)) or (_reached_at(listen, towards),)
    return Listening(listen, found)


def found_home(
    path: Path | None,
    name: str,
    title: str,
    listening: Listening,
    *,
    key: str = "ed25519",
    rsa_accepted: bool = False,
) -> MeshHome:
    """Found a mesh, and make the home of its first peer.

    Raises
    ------
    GleanError
        The name can't be used, or the home is one already.
    """
    check_title(title)
    home = new_home(path, name)
    home.make()
    identity = _identity_in(home, key)
    entry = found_mesh(home, identity, name, title, rsa_accepted=rsa_accepted)
    facts = MeshFacts(name, entry.id, title, entry.id, listening.listen, listening.addresses)
    home.note(facts)
    return home


def invite_from(home: MeshHome, bakery: str, *, days: int) -> MeshInvitation:
    """Make an invitation; an earlier one for the same bakery is taken back.

    Raises
    ------
    GleanError
        The name can't be used or is a member's, or this peer is none.
    """
    folder_name(bakery)
    facts, store = home.facts(), open_store(home)
    if store.own is None:
        raise MembershipError(f"{home.path}: {facts.name!r} doesn't belong to the mesh any more")
    if any(
        folder_name(name).casefold() == folder_name(bakery).casefold()
        for name in store.membership.view.members
    ):
        raise MembershipError(
            f"bakery: found {bakery!r}, who belongs to the mesh already; wanted another name"
        )
    now = int(time.time())
    identity = PeerIdentity.read(home.path)
    made = new_mesh_invitation(
        facts.addresses[0], facts.mesh, identity.public, bakery, expires_at=now + days * 86_400
    )
    InvitationList(home.invitations).add(made, now=now)
    return made


def withdraw_from(home: MeshHome, bakery: str) -> bool:
    """Take back what is open for a bakery; whether something was."""
    return InvitationList(home.invitations).withdraw(bakery, now=time.time())


def join_from(
    path: Path | None, invitation: MeshInvitation, listening: Listening, *, key: str = "ed25519"
) -> MeshHome:
    """Join a mesh; where that was done before from this home, nothing changes.

    Raises
    ------
    GleanError
        The member that invited can't be reached or says no, or the home is another's.
    """
    home = new_home(path, invitation.name)
    if home.there and _joined_by(home, invitation):
        return home
    if not _may_come_back(home, invitation):
        home.make()
    if time.time() >= invitation.expires_at:
        raise MembershipError(
            "the invitation has expired; wanted one that is still good: ask the member that sent "
            "it for a new link"
        )
    identity = _identity_in(home, key)
    welcome = _ask(invitation, identity)
    membership = welcome.membership
    write_entries(home, membership)
    home.note(
        MeshFacts(
            invitation.name,
            invitation.mesh,
            membership.title,
            welcome.entry.id,
            listening.listen,
            listening.addresses,
        )
    )
    store = open_store(home)
    store.offer_cards(welcome.cards)
    store.save_cards()
    return home


def listen_at(home: MeshHome, listening: Listening) -> None:
    """Note where a peer listens from now on."""
    home.note_listening(listening.listen, listening.addresses)


def open_store(home: MeshHome) -> MembershipStore:
    """Open what a peer knows.

    Raises
    ------
    GleanError
        It can't be read.
    """
    facts = home.facts()
    return MembershipStore(home, facts.mesh, facts.entry, PeerIdentity.read(home.path))


def _ask(invitation: MeshInvitation, identity: PeerIdentity) -> Welcome:
    answer = ask_as_guest(
        invitation.address,
        JOIN,
        ask_to_join(invitation, identity),
        identity=identity,
        name=invitation.name,
        # The member's key is known by its fingerprint, whatever its kind.
        mesh=Mesh(invitation.mesh, rsa_accepted=True),
        expected=invitation.inviter,
    )
    return read_welcome(invitation, identity, answer)


def _identity_in(home: MeshHome, key: str) -> PeerIdentity:
    """Read the keys of a home, or make them: an attempt before may have been cut off."""
    with suppress(CertificateError):
        return PeerIdentity.read(home.path)
    signing = home.path / SIGNING_FILE
    known = read_regular(signing) if signing.exists() else None
    identity = PeerIdentity.new(kind=key, signing_pem=known)
    identity.write(home.path)
    return identity


def _may_come_back(home: MeshHome, invitation: MeshInvitation) -> bool:
    """Whether a home is of the same bakery, which has left the same mesh."""
    if not home.there:
        return False
    facts = home.facts()
    return facts.left and (facts.mesh, facts.name) == (invitation.mesh, invitation.name)


def _joined_by(home: MeshHome, invitation: MeshInvitation) -> bool:
    facts = home.facts()
    store = open_store(home)
    entry = store.membership.entries.get(facts.entry)
    if entry is None or entry.invitation != invitation.secret_hash or store.own is None:
        return False
    return public_key(entry.key) == PeerIdentity.read(home.path).public


def _reached_at(listen: str, towards: str) -> str:
    """Guess how others reach what listens: of all addresses that which leads to another peer."""
    host, _, port = listen.rpartition(":")
    if host not in _ANYWHERE:
        return listen
    try:
        family, _, _, _, place = socket.getaddrinfo(
            *host_and_port(towards), type=socket.SOCK_DGRAM
        )[0]
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(place)  # nothing is sent
            found = str(probe.getsockname()[0])
    except (OSError, UnicodeError) as error:
        raise MembershipError(
            "found no network by which others could reach this machine; wanted --address "
            f"HOST:PORT, or --listen 127.0.0.1:{port} where all peers are on this machine"
        ) from error
    return f"[{found}]:{port}" if ":" in found else f"{found}:{port}"
