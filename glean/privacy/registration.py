"""A bakery's registration: its public keys, with the secret of its invitation and a proof of each.

The proofs show that who registers has both private keys: nobody registers another's.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import load_ssh_private_key, load_ssh_public_key

from glean.errors import CertificateError
from glean.privacy.invitation import SECRET_BYTES, secret_hash
from glean.privacy.mask_wire import text_field
from glean.privacy.members import BakeryKeys
from glean.privacy.signing import sign

_CLAIM = b"glean: a bakery registers its keys 1\n"
_FIELDS = ("secret", "signing_key", "node_key", "signing_proof", "node_proof")
_LONGEST = 1000
"""Characters of a field; the longest that is honest is a fifth of it."""


class RegistrationError(CertificateError):
    """A registration isn't what it should be."""


@dataclass(frozen=True, repr=False)
class Registration:
    """What a bakery registers, its proofs checked.

    Parameters
    ----------
    secret : bytes
        Of its invitation.
    signing_key, node_key : str
        Its public keys, each as one line of OpenSSH without a comment.
    """

    secret: bytes
    signing_key: str
    node_key: str


def write_registration(secret: bytes, keys: BakeryKeys) -> dict[str, str]:
    """Write what is sent, for JSON."""
    member = keys.member
    claim = _claim(secret, member.signing_key, member.node_key)
    node_key = load_ssh_private_key(keys.node_key, None)
    assert isinstance(node_key, ec.EllipticCurvePrivateKey), "new_keys made it"
    return {
        "secret": b64encode(secret).decode("ascii"),
        "signing_key": member.signing_key,
        "node_key": member.node_key,
        "signing_proof": b64encode(sign(keys.signing_key, claim)).decode("ascii"),
        "node_proof": b64encode(node_key.sign(claim, ec.ECDSA(hashes.SHA256()))).decode("ascii"),
    }


def read_registration(content: Mapping[str, object]) -> Registration:
    """Read what was sent, and check that who sent it has the private keys.

    Raises
    ------
    RegistrationError
        A field is missing or can't be read, or a proof doesn't fit.
    """
    texts = {name: content.get(name) for name in _FIELDS}
    for name, text in texts.items():
        if not isinstance(text, str) or len(text) > _LONGEST:
            raise RegistrationError(f"{name}: wanted a text of at most {_LONGEST} characters")
    fields = {name: str(text) for name, text in texts.items()}
    secret = _bytes_of("secret", fields["secret"])
    if len(secret) != SECRET_BYTES:
        raise RegistrationError(f"secret: found {len(secret)} bytes; wanted {SECRET_BYTES}")
    signing, node = (_key_of(name, fields[name]) for name in ("signing_key", "node_key"))
    claim = _claim(secret, fields["signing_key"], fields["node_key"])
    proofs = {name: _bytes_of(name, fields[name]) for name in ("signing_proof", "node_proof")}
    if not isinstance(signing, ed25519.Ed25519PublicKey):
        raise RegistrationError("signing_key: wanted an Ed25519 key")
    if not isinstance(node, ec.EllipticCurvePublicKey):
        raise RegistrationError("node_key: wanted a key on an elliptic curve")
    try:
        signing.verify(proofs["signing_proof"], claim)
        node.verify(proofs["node_proof"], claim, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise RegistrationError(
            "the proofs don't fit the keys: who registers a key must have its private half"
        ) from None
    return Registration(secret, fields["signing_key"], fields["node_key"])


def _claim(secret: bytes, signing_key: str, node_key: str) -> bytes:
    return _CLAIM + b"".join(map(text_field, (secret_hash(secret), signing_key, node_key)))


def _key_of(name: str, line: str) -> object:
    try:
        key = load_ssh_public_key(line.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise RegistrationError(f"{name} can't be read; wanted a line of OpenSSH") from None
    if len(line.split(" ")) != 2 or line != line.strip():
        raise RegistrationError(f"{name}: wanted its kind, a space and the key, and no comment")
    return key


def _bytes_of(name: str, text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise RegistrationError(f"{name} can't be read; wanted base64") from None
