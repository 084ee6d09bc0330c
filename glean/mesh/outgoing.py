"""Messages of this peer on their way: sealed, kept, acknowledged by their receiver or given up."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable

from glean.errors import FederationError
from glean.mesh.mesh_limits import MeshLimits
from glean.mesh.message_store import ACKNOWLEDGEMENT, MessageStore, envelope_key
from glean.mesh.peer_directory import PeerDirectory
from glean.outbox.outbox import OutboxFullError
from glean.privacy.peer_identity import PeerIdentity
from glean.privacy.sealed_envelope import EnvelopeHead, SealedEnvelope, seal

LOG = logging.getLogger(__name__)

_LONGEST_KIND = 80
_ACKNOWLEDGES = f"{ACKNOWLEDGEMENT}-"


class UnknownPeerError(FederationError):
    """A message is for somebody who isn't in the mesh."""


class OutgoingMessages:
    """What a node sends.

    Parameters
    ----------
    store : MessageStore
        Its files.
    identity : PeerIdentity
        Its keys.
    directory : PeerDirectory
        Whom it knows.
    limits : MeshLimits
        Its bounds.
    put : callable
        Called when there is something to send.
    """

    def __init__(
        self,
        store: MessageStore,
        identity: PeerIdentity,
        directory: PeerDirectory,
        *,
        limits: MeshLimits,
        put: Callable[[], None] = lambda: None,
    ) -> None:
        self._store, self._identity, self._directory = store, identity, directory
        self._limits, self._put = limits, put

    def send(
        self,
        receiver: str,
        kind: str,
        body: bytes,
        message_id: str | None = None,
        life_s: float | None = None,
    ) -> str:
        """Send a message to a peer, who may be away; it is on disk when this returns.

        Parameters
        ----------
        receiver, kind : str
            For whom, and for which of its handlers.
        body : bytes
            What it says.
        message_id : str or None
            Its name: the same one is sent, and handled, once. None: a new one.
        life_s : float or None
            How long it is sent, in seconds, where it is soon out of date: then it is given up
            without a word. None: as long as `MeshLimits` says.

        Returns
        -------
        str
            Its name.

        Raises
        ------
        UnknownPeerError
            The receiver isn't in the mesh.
        OutboxFullError
            There is no room until others have acknowledged.
        FederationError
            The message can't be one.
        """
        if not 0 < len(kind) <= _LONGEST_KIND or kind == ACKNOWLEDGEMENT:
            raise FederationError(
                f"kind of a message: found {kind!r:.100}; wanted 1 to {_LONGEST_KIND} characters, "
                f"other than {ACKNOWLEDGEMENT!r}"
            )
        if len(body) > self._limits.most_message_bytes:
            raise FederationError(
                f"message to {receiver!r}: found {len(body)} bytes; wanted at most "
                f"{self._limits.most_message_bytes}"
            )
        message_id = message_id or uuid.uuid4().hex
        if message_id.startswith(_ACKNOWLEDGES):
            raise FederationError(
                f"name of a message: found {message_id!r:.120}; wanted one that doesn't begin with "
                f"{_ACKNOWLEDGES!r}"
            )
        self._keep(receiver, kind, body, message_id, life_s=life_s)
        return message_id

    def acknowledge(self, envelope: SealedEnvelope, *, refused: str = "") -> None:
        """Say to the sender of an envelope that it came, or why it is no good."""
        head = envelope.head
        said = {"message": head.message_id, "digest": envelope.digest, "refused": refused[:300]}
        # What differs is said under another name: the sender may have sent anew under the old one.
        name = f"{_ACKNOWLEDGES}{envelope_key(head.message_id, envelope.digest + refused)}"
        held = self._store.outbox.held_bytes(origin=ACKNOWLEDGEMENT, receiver=head.sender)
        if held >= self._limits.most_acknowledging_bytes:
            # Nor can this one; a peer that takes none mustn't fill the outbox.
            LOG.warning("mesh: %d bytes of acknowledgements wait for %s", held, head.sender)
            return
        try:
            self._keep(
                head.sender,
                ACKNOWLEDGEMENT,
                json.dumps(said).encode(),
                name,
                origin=ACKNOWLEDGEMENT,
                life_s=self._rest_of(head),
            )
        except (OutboxFullError, UnknownPeerError) as error:
            # The sender sends the message again, and this is tried again then.
            LOG.warning("mesh: %s could not be acknowledged: %s", head.message_id, error)

    def acknowledged(self, peer: str, said: bytes) -> None:
        """Hear from a peer what became of a message to it; what it can't speak of is left."""
        try:
            found = json.loads(said)
            message_id, digest, refused = (found[k] for k in ("message", "digest", "refused"))
        except (ValueError, TypeError, KeyError, RecursionError):
            LOG.warning("mesh: found an acknowledgement from %s that can't be read", peer)
            return
        key = envelope_key(self._directory.name, str(message_id))
        message = self._store.outbox.give(key)
        if message is None:
            return
        if message.receiver != peer or SealedEnvelope.of(message.body).digest != digest:
            LOG.warning("mesh: %s acknowledged %s, which isn't its own", peer, message_id)
            return
        if self._store.outbox.acknowledge(key) and refused:
            self._give_up(str(message_id), peer, f"refused by its receiver: {refused!s:.300}")

    def expire(self) -> None:
        """Give up what is too old."""
        for message in self._store.outbox.expire():
            head = SealedEnvelope.of(message.body).head
            if not head.message_id.startswith(_ACKNOWLEDGES) and not is_short_lived(
                head, self._limits
            ):
                self._give_up(
                    head.message_id,
                    head.receiver,
                    f"not acknowledged within {self._limits.message_life_s:.0f} s, "
                    f"after {message.attempts} attempts",
                )

    def _give_up(self, message_id: str, receiver: str, reason: str) -> None:
        self._store.dead_letters.name(message_id, self._directory.name, receiver, reason)

    def _rest_of(self, head: EnvelopeHead) -> float | None:
        """How long somebody may wait for the acknowledgement of a message that is short-lived."""
        if not is_short_lived(head, self._limits):
            return None
        left_s = (head.expires_ms - self._store.now_ms()) / 1000
        return max(left_s, 0.0) + self._limits.resend_s

    def _keep(
        self,
        receiver: str,
        kind: str,
        body: bytes,
        name: str,
        *,
        origin: str = "",
        life_s: float | None = None,
    ) -> None:
        peer = self._directory.peer(receiver)
        if peer is None or receiver == self._directory.name:
            raise UnknownPeerError(
                f"message to {receiver!r}: found no other peer of that name in the mesh "
                f"{self._directory.mesh.name!r}; wanted one that `glean mesh status` lists"
            )
        now, most_s = self._store.now_ms(), self._limits.message_life_s
        life_s = None if life_s is None or life_s >= most_s else life_s
        head = EnvelopeHead(
            mesh=self._directory.mesh.name,
            sender=self._directory.name,
            receiver=receiver,
            message_id=name,
            sent_ms=now,
            expires_ms=now + int(1000 * (most_s if life_s is None else life_s)),
        )
        envelope = seal(head, kind, body, sender=self._identity, receiver=peer.key)
        key = envelope_key(head.sender, name)
        self._store.outbox.put(key, receiver, envelope.to_bytes(), origin=origin, life_s=life_s)
        self._put()


def is_short_lived(head: EnvelopeHead, limits: MeshLimits) -> bool:
    """Whether a message was soon out of date by its sender's will, and is given up in silence."""
    return head.expires_ms - head.sent_ms < int(1000 * limits.message_life_s)
