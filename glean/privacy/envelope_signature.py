"""Signatures of envelopes: of what travels over a road on which others may write too.

A sender's private key, and the public ones of those whose envelopes are taken, read once for many.
"""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_public_key

from glean.errors import CertificateError

SIGNATURE_BYTES = 64

_DOMAIN = b"glean: an envelope 1\n"
_AS_MADE = "wanted an Ed25519 key, as `glean certificates` made it"


class EnvelopeSigner:
    """A sender's private key.

    Parameters
    ----------
    private_key : bytes
        Ed25519, PEM.
    source : str
        What it is called in a message.

    Raises
    ------
    CertificateError
        It is none.
    """

    def __init__(self, private_key: bytes, *, source: str) -> None:
        try:
            key = load_pem_private_key(private_key, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise CertificateError(f"{source} is no private key; {_AS_MADE}") from error
        if not isinstance(key, ed25519.Ed25519PrivateKey):
            raise CertificateError(f"{source}: found a key of another kind; {_AS_MADE}")
        self._key = key

    def sign(self, statement: bytes) -> bytes:
        """Sign; 64 bytes."""
        return self._key.sign(_DOMAIN + statement)


class EnvelopeKeys:
    """Public keys of those whose envelopes are taken.

    Parameters
    ----------
    lines : mapping
        Sender's name -> its public key as one line of OpenSSH.

    Raises
    ------
    CertificateError
        One can't be read, or is of another kind.
    """

    def __init__(self, lines: Mapping[str, str]) -> None:
        self._keys = {name: _public(name, line) for name, line in lines.items()}

    def knows(self, sender: str) -> bool:
        """Whether envelopes of a sender are taken at all."""
        return sender in self._keys

    def signed(self, sender: str, signature: bytes, statement: bytes) -> bool:
        """Whether a signature is that of a sender who is known."""
        key = self._keys.get(sender)
        if key is None:
            return False
        try:
            key.verify(signature, _DOMAIN + statement)
        except InvalidSignature:
            return False
        return True


def _public(name: str, line: str) -> ed25519.Ed25519PublicKey:
    try:
        key = load_ssh_public_key(line.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateError(
            f"the public key of {name or 'the server'!r} can't be read ({error!s:.80}); {_AS_MADE}"
        ) from error
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise CertificateError(
            f"the public key of {name or 'the server'!r}: found one of another kind; {_AS_MADE}"
        )
    return key
