"""Two peers connect: each proves its name and key to the other, and nobody between them reads.

The handshake is Noise's XX (`noise_handshake.py`), and how identities stand in it is libp2p's way:
each makes a static key for this handshake alone, and its encrypted payload says who it is, with a
signature of that key. The initiator learns who answers before it says who it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from glean.errors import CertificateError, FederationError
from glean.privacy.mask_wire import text_field
from glean.privacy.noise_handshake import CipherState, NoiseHandshake
from glean.privacy.peer_identity import SESSION_BYTES, PeerIdentity, PeerKey

LONGEST_NAME: Final = 80

_PROLOGUE = b"glean mesh 1\n"
_CLAIM = b"glean mesh: this key of a handshake is mine 1\n"
_INITIATOR, _RESPONDER = b"initiator", b"responder"
_MESSAGES = 3


class PeerRefusedError(FederationError):
    """Whoever is at the other end isn't the peer that it should be."""


@dataclass(frozen=True)
class PeerClaim:
    """Who is at the other end: proved is that it has the key; whose name that is, a directory says.

    Parameters
    ----------
    name : str
        What it calls itself.
    key : PeerKey
        Its key.
    session : bytes
        Which start of it this is.
    """

    name: str
    key: PeerKey
    session: bytes = b""


@dataclass(frozen=True)
class Mesh:
    """What both sides have to agree on.

    Parameters
    ----------
    name : str
        Of the mesh.
    rsa_accepted : bool
        Whether peers may sign with RSA.
    """

    name: str
    rsa_accepted: bool = False


class PeerHandshake:
    """One side: `write` and `read` in turn, three messages in all, then `split`.

    Parameters
    ----------
    identity : PeerIdentity
        This side's keys.
    name : str
        This side's name.
    mesh : Mesh
        What it belongs to; the other side to the same.
    initiator : bool
        Whether this side connected.
    expected : str or None
        The other side's signing key, as a line of OpenSSH or its fingerprint; None: any.
    """

    def __init__(
        self,
        identity: PeerIdentity,
        name: str,
        mesh: Mesh,
        *,
        initiator: bool,
        expected: str | None = None,
    ) -> None:
        self._identity, self._name, self._mesh = identity, name, mesh
        self.initiator, self._expected = initiator, expected
        self._static = X25519PrivateKey.generate()
        self._noise = NoiseHandshake(
            initiator=initiator,
            prologue=_PROLOGUE + text_field(mesh.name),
            static=self._static,
        )
        self._done = 0
        self.remote: PeerClaim | None = None

    @property
    def over(self) -> bool:
        """Whether all messages were written and read."""
        return self._done == _MESSAGES

    def write(self) -> bytes:
        """Write the next message."""
        self._done += 1
        return self._noise.write(self._claim() if self._done > 1 else b"")

    def read(self, message: bytes) -> None:
        """Read the other side's next message; from its first encrypted one, `remote` is known.

        Raises
        ------
        NoiseError
            It isn't of this handshake and mesh, or was changed.
        PeerRefusedError
            The other side isn't who it says, or not who it should be.
        """
        payload = self._noise.read(message)
        self._done += 1
        if self._done > 1:
            self.remote = self._checked(payload)
        elif payload:
            raise PeerRefusedError(
                f"a peer was refused: its first message has {len(payload)} bytes behind its key; "
                "wanted none: it may be of another version"
            )

    def split(self) -> tuple[CipherState, CipherState]:
        """Give the keys of the connection: to send with, to receive with."""
        return self._noise.split()

    def _claim(self) -> bytes:
        public = self._static.public_key().public_bytes_raw()
        signature = self._identity.sign(self._statement(public, initiator=self.initiator))
        names = text_field(self._name) + text_field(str(self._identity.public))
        return names + self._identity.session + signature

    def _statement(self, static: bytes, *, initiator: bool) -> bytes:
        role = _INITIATOR if initiator else _RESPONDER
        return _CLAIM + text_field(self._mesh.name) + role + static

    def _checked(self, payload: bytes) -> PeerClaim:
        """Check what the other side says of itself."""
        name, rest = _text(payload, LONGEST_NAME * 4)
        key_text, rest = _text(rest, len(rest))
        session, signature = rest[:SESSION_BYTES], rest[SESSION_BYTES:]
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            raise PeerRefusedError(
                f"a peer calls itself {name[:LONGEST_NAME]!r}; wanted a name of at most "
                f"{LONGEST_NAME} characters that can be printed"
            )
        try:
            key = PeerKey.of(key_text, rsa_accepted=self._mesh.rsa_accepted)
        except CertificateError as error:
            raise PeerRefusedError(f"{name!r} was refused: {error}") from error
        statement = self._statement(self._noise.remote_static, initiator=not self.initiator)
        if not key.signed(signature, statement):
            raise PeerRefusedError(
                f"{name!r} was refused: found a signature that isn't of this handshake, as of one "
                "that repeats what it heard; wanted one by the key that it named"
            )
        if self._expected not in (None, key.signing_key, key.fingerprint):
            raise PeerRefusedError(
                f"{name!r} was refused: found the key {key.fingerprint}; wanted that of the peer "
                "that was called: the address is another peer's, or somebody is in between"
            )
        return PeerClaim(name, key, session)


def _text(content: bytes, most: int) -> tuple[str, bytes]:
    """Read a text with its length in front, and give what follows it."""
    length = int.from_bytes(content[:2], "big")
    text = content[2 : 2 + length]
    # What isn't UTF-8 shows as such, and is no name or key.
    found = text.decode(errors="replace")
    if len(text) < length or length > most or "\ufffd" in found:
        raise PeerRefusedError(
            f"a peer was refused: found {len(content)} bytes that don't say who it is; wanted its "
            "name, its key and a signature"
        )
    return found, content[2 + length :]
