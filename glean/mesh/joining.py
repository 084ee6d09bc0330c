"""A bakery joins a mesh: it shows an invitation to the member that made it, and is countersigned.

Both sides in plain bytes; the connection between them has proved who each is before.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from glean.mesh.invitation_list import InvitationList, InvitationRefusedError
from glean.mesh.member_keys import signature_fits
from glean.mesh.membership import Membership
from glean.mesh.membership_entry import MembershipEntry, MembershipError, join_request
from glean.mesh.membership_files import read_entries
from glean.mesh.membership_store import MembershipStore
from glean.mesh.mesh_invitation import MeshInvitation, secret_hash
from glean.mesh.peer_card import PeerCard, read_card
from glean.privacy.peer_identity import PeerIdentity
from glean.runs.log_lines import visible

_LONGEST_REQUEST = 16_384


@dataclass(frozen=True)
class Welcome:
    """What a bakery gets that was let in.

    Parameters
    ----------
    entry : MembershipEntry
        Its own.
    membership : Membership
        All entries, its own among them.
    cards : tuple of PeerCard
        Where the others are.
    """

    entry: MembershipEntry
    membership: Membership
    cards: tuple[PeerCard, ...]


class Admission:
    """The side of a member that made invitations.

    Parameters
    ----------
    store : MembershipStore
        What it knows of the mesh.
    invitations : InvitationList
        What it made.
    clock : callable
        The time, s since 1970.
    """

    def __init__(
        self,
        store: MembershipStore,
        invitations: InvitationList,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._invitations, self._clock = store, invitations, clock
        self._lock = threading.Lock()
        # A kill may have come between the two files.
        store.offer(invitations.used())

    def answer(self, key: str, request: bytes) -> bytes:
        """Let in whoever shows an invitation, or say why not.

        Parameters
        ----------
        key : str
            The public keys that the other side has proved to have.
        request : bytes
            What it sent.
        """
        try:
            entry = self._admit(key, request)
        except MembershipError as error:
            return json.dumps({"refused": str(error)}).encode()
        content = {
            "entry": entry.id,
            "entries": [one.content() for one in self._store.membership.entries.values()],
            "cards": [card.content() for card in self._store.member_cards()],
        }
        return json.dumps(content, ensure_ascii=False).encode()

    def _admit(self, key: str, request: bytes) -> MembershipEntry:
        secret, name, signature = _read_request(request)
        mesh, invitation = self._store.membership.mesh, secret_hash(secret)
        if not signature_fits(key, join_request(mesh, name, key, invitation), signature):
            raise InvitationRefusedError(
                f"{name!r} hasn't signed its request for this mesh by the key that it showed"
            )

        def make() -> MembershipEntry:
            self._check_name(name, key)
            return self._store.countersign(name, key, invitation, signature)

        with self._lock:  # an entry counts before the next one is made
            entry = self._invitations.redeem(invitation, name, key, now=self._clock(), make=make)
            for refusal in self._store.offer([entry]):
                raise InvitationRefusedError(refusal.text)
        return entry

    def _check_name(self, name: str, key: str) -> None:
        """Refuse what wouldn't count, before the invitation is spent on it."""
        membership = self._store.membership
        if any(member.is_called(name) for member in membership.view.members.values()):
            raise InvitationRefusedError(f"{name!r} belongs to the mesh already")
        if membership.by_key(key) is not None:
            raise InvitationRefusedError("another member of the mesh has this key")


def ask_to_join(invitation: MeshInvitation, identity: PeerIdentity) -> bytes:
    """Write what is shown to the member that invited."""
    name, key = invitation.name, str(identity.public)
    request = join_request(invitation.mesh, name, key, invitation.secret_hash)
    content = {
        "secret": invitation.secret.hex(),
        "name": name,
        "signature": identity.sign(request).hex(),
    }
    return json.dumps(content, ensure_ascii=False).encode()


def read_welcome(invitation: MeshInvitation, identity: PeerIdentity, answer: bytes) -> Welcome:
    """Check what the member answered: it lets this bakery in, into that mesh.

    Raises
    ------
    MembershipError
        It doesn't; or its answer isn't true.
    """
    content = _object(answer)
    if isinstance(content.get("refused"), str):
        raise InvitationRefusedError(
            f"the member that invited says no: {visible(content['refused'][:500])}; ask it for a "
            "new link"
        )
    try:
        entries, wrong = read_entries(content["entries"])
        own = next(entry for entry in entries if entry.id == content["entry"])
        cards = tuple(map(read_card, content["cards"]))
    except (KeyError, TypeError, StopIteration) as error:
        raise MembershipError(
            f"the member that invited answered {content!r:.80}; wanted the members of the mesh"
        ) from error
    if wrong:
        raise MembershipError(f"the member that invited answered what can't be: {wrong[0]}")
    membership = Membership.of(invitation.mesh, entries)
    asked = (invitation.name, str(identity.public), invitation.secret_hash)
    member = membership.member(invitation.name)
    if (own.name, own.key, own.invitation) != asked or member is None or member.entry != own.id:
        raise MembershipError(
            f"the member that invited has let in another bakery than {invitation.name!r} with its "
            "key; ask it for a new link"
        )
    return Welcome(own, membership, cards)


def _read_request(request: bytes) -> tuple[bytes, str, str]:
    if len(request) > _LONGEST_REQUEST:
        raise InvitationRefusedError(f"found a request of {len(request)} bytes")
    content = _object(request)
    secret, name, signature = (content.get(key) for key in ("secret", "name", "signature"))
    if not (isinstance(secret, str) and isinstance(name, str) and isinstance(signature, str)):
        raise InvitationRefusedError("found a request to join that isn't any")
    try:
        name.encode()  # which half of a surrogate pair can't be
        return bytes.fromhex(secret), name, signature
    except ValueError:
        raise InvitationRefusedError("found a request to join that isn't any") from None


def _object(text: bytes) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MembershipError(f"found what is no JSON: {error!r:.80}") from error
    if not isinstance(content, dict):
        raise MembershipError(f"found {content!r:.80}; wanted an object")
    return content
