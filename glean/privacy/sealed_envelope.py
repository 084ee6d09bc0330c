"""A message for one peer, as others carry it: encrypted to its receiver, signed by its sender.

The encryption is HPKE (RFC 9180; X25519, HKDF-SHA256, ChaCha20-Poly1305) with an ephemeral key for
each envelope and the head as its `info`, so that the contents don't open under another head. The
signature covers head and ciphertext: who carries an envelope can check it, and reads of it only the
head.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from glean.errors import FederationError, SecureSumError
from glean.privacy.mask_wire import text_field
from glean.privacy.peer_handshake import LONGEST_NAME
from glean.privacy.peer_identity import PeerIdentity, PeerKey

MARK: Final = b"glean mesh envelope 1\n"
LONGEST_ID: Final = 100

_SIGNED = b"glean mesh: the envelope is mine 1\n"
_INFO = b"glean mesh: contents of an envelope 1\n"
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
_MOST_HEAD_BYTES = 4096
_MOST_SIGNATURE_BYTES = 512
_LAST_MS = 2**53


class EnvelopeError(FederationError):
    """Bytes that claim to be an envelope aren't what their sender made."""


@dataclass(frozen=True)
class EnvelopeHead:
    """What whoever carries an envelope reads of it.

    Parameters
    ----------
    mesh, sender, receiver : str
        In which mesh, from whom, for whom.
    message_id : str
        One of its sender's, of which each is used once.
    sent_ms, expires_ms : int
        When it was made, and from when on it is to be thrown away: milliseconds since 1970.
    """

    mesh: str
    sender: str
    receiver: str
    message_id: str
    sent_ms: int
    expires_ms: int

    def __post_init__(self) -> None:
        lengths = {"mesh": LONGEST_NAME, "sender": LONGEST_NAME, "receiver": LONGEST_NAME}
        for name, most in (lengths | {"message_id": LONGEST_ID}).items():
            value = getattr(self, name)
            if not isinstance(value, str) or not 0 < len(value) <= most or not value.isprintable():
                raise EnvelopeError(
                    f"an envelope's {name}: found {value!r:.120}; wanted 1 to {most} characters "
                    "that can be printed"
                )
        for name in ("sent_ms", "expires_ms"):
            value = getattr(self, name)
            if type(value) is not int or not 0 <= value < _LAST_MS:
                raise EnvelopeError(
                    f"an envelope's {name}: found {value!r:.80}; wanted milliseconds since 1970"
                )

    def to_bytes(self) -> bytes:
        """Write it as JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def of(cls, content: bytes) -> Self:
        """Read what `to_bytes` wrote.

        Raises
        ------
        EnvelopeError
            It is none.
        """
        try:
            return cls(**json.loads(content))
        except (ValueError, TypeError, RecursionError) as error:
            raise EnvelopeError(
                f"found an envelope whose head can't be read ({error!s:.80}); wanted it as its "
                "sender wrote it"
            ) from error


@dataclass(frozen=True)
class SealedEnvelope:
    """An envelope, read but not opened.

    Parameters
    ----------
    head : EnvelopeHead
        What all can read.
    head_bytes, signature, contents : bytes
        The head as it was signed, the signature, and the encrypted contents.
    """

    head: EnvelopeHead
    head_bytes: bytes
    signature: bytes
    contents: bytes

    @classmethod
    def of(cls, content: bytes) -> Self:
        """Read an envelope; nothing of it is proved yet.

        Raises
        ------
        EnvelopeError
            It is none, or was cut off.
        """
        if not content.startswith(MARK):
            raise EnvelopeError(f"found {content[:20]!r} for an envelope; wanted one of this mesh")
        head, rest = _field(content[len(MARK) :], _MOST_HEAD_BYTES)
        signature, contents = _field(rest, _MOST_SIGNATURE_BYTES)
        return cls(EnvelopeHead.of(head), head, signature, contents)

    def to_bytes(self) -> bytes:
        """Write it."""
        fields = (self.head_bytes, self.signature)
        return MARK + b"".join(len(f).to_bytes(2, "big") + f for f in fields) + self.contents

    @property
    def digest(self) -> str:
        """SHA-256 of head and contents: what an acknowledgement is of; hexadecimal."""
        return hashlib.sha256(_statement(self.head_bytes, self.contents)).hexdigest()

    def check(self, sender: PeerKey) -> None:
        """Check who made it.

        Raises
        ------
        EnvelopeError
            It wasn't this peer, or it was changed since.
        """
        if not sender.signed(self.signature, _statement(self.head_bytes, self.contents)):
            raise EnvelopeError(
                f"envelope {self.head.message_id!r} from {self.head.sender!r}: found a signature "
                "that isn't its sender's, as of one that was forged or changed on its way"
            )

    def open(self, identity: PeerIdentity) -> tuple[str, bytes]:
        """Decrypt the contents: what kind of message it is, and its body.

        Raises
        ------
        EnvelopeError
            They were made for another peer, or under another head.
        """
        try:
            found = _SUITE.decrypt(self.contents, identity.encryption_key, self._info)
        except (InvalidTag, ValueError) as error:
            raise EnvelopeError(
                f"envelope {self.head.message_id!r} from {self.head.sender!r} doesn't open: found "
                "contents for another key or of another envelope; wanted them encrypted to "
                f"{self.head.receiver!r} by its key of now"
            ) from error
        length = int.from_bytes(found[:2], "big")
        return found[2 : 2 + length].decode(errors="replace"), found[2 + length :]

    @property
    def _info(self) -> bytes:
        return _INFO + self.head_bytes


def seal(
    head: EnvelopeHead, kind: str, body: bytes, *, sender: PeerIdentity, receiver: PeerKey
) -> SealedEnvelope:
    """Encrypt a message to its receiver, and sign it."""
    head_bytes = head.to_bytes()
    try:
        contents = _SUITE.encrypt(
            text_field(kind) + body, receiver.to_encrypt_by(), _INFO + head_bytes
        )
    except (ValueError, SecureSumError) as error:
        raise EnvelopeError(
            f"message {head.message_id!r} can't be encrypted to {head.receiver!r}: {error}"
        ) from error
    signature = sender.sign(_statement(head_bytes, contents))
    return SealedEnvelope(head, head_bytes, signature, contents)


def _statement(head: bytes, contents: bytes) -> bytes:
    return _SIGNED + hashlib.sha256(head).digest() + hashlib.sha256(contents).digest()


def _field(content: bytes, most: int) -> tuple[bytes, bytes]:
    """Read a field with its length in front, and give what follows it."""
    length = int.from_bytes(content[:2], "big")
    if len(content) < 2 + length or length > most:
        raise EnvelopeError(
            f"found an envelope that was cut off, or a field of {length} bytes in it; wanted at "
            f"most {most}, and all of it"
        )
    return content[2 : 2 + length], content[2 + length :]
