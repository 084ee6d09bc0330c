"""Ed25519 signatures of members: private keys as their owners have them, public ones as listed."""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_public_key

from glean.errors import SecureSumError
from glean.privacy.mask_wire import text_field
from glean.privacy.members import Member

_CLAIM = b"glean: this node is the bakery 1"
_AS_MADE = "wanted it as `glean certificates` made it"


def sign(signing_key: bytes, statement: bytes) -> bytes:
    """Sign with a member's private key, PEM.

    Raises
    ------
    SecureSumError
        The key isn't one.
    """
    try:
        key = load_pem_private_key(signing_key, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SecureSumError(f"signing-key can't be read: {error}; {_AS_MADE}") from error
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise SecureSumError(f"signing-key is no Ed25519 key; {_AS_MADE}")
    return key.sign(statement)


def fits(signature: bytes, statement: bytes, member: Member) -> bool:
    """Whether a signature is a member's, by the key in the member list.

    Raises
    ------
    SecureSumError
        The key in the list isn't one.
    """
    try:
        key = load_ssh_public_key(member.signing_key.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SecureSumError(
            f"members.json: signing key of {member.bakery!r} can't be read; {_AS_MADE}"
        ) from error
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise SecureSumError(
            f"members.json: signing key of {member.bakery!r} is no Ed25519 key; {_AS_MADE}"
        )
    try:
        key.verify(signature, statement)
    except InvalidSignature:
        return False
    return True


def is_ed25519(public_key: str) -> bool:
    """Whether a line of OpenSSH is a public key of the one kind that members sign by."""
    return public_key.startswith("ssh-ed25519 ")


def fingerprint(public_key: str) -> str:
    """Shorten a public key to what can be read out: 32 digits in groups of four."""
    digits = hashlib.sha256(public_key.encode()).hexdigest()[:32]
    return " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))


def claim(signing_key: bytes, bakery: str, challenge: str) -> str:
    """Sign that a node is a bakery, for a challenge; hexadecimal.

    Raises
    ------
    SecureSumError
        The key isn't one.
    """
    return sign(signing_key, _claim(bakery, challenge)).hex()


def claim_fits(proof: str, member: Member, challenge: str) -> bool:
    """Whether a node that sent this proof is a member.

    Raises
    ------
    SecureSumError
        The key in the list isn't one.
    """
    try:
        signature = bytes.fromhex(proof)
    except ValueError:
        return False
    return fits(signature, _claim(member.bakery, challenge), member)


def _claim(bakery: str, challenge: str) -> bytes:
    return _CLAIM + text_field(challenge) + text_field(bakery)
