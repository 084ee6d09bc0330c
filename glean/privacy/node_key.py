"""A node's private key, by which a server knows whose requests it gets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
    load_ssh_private_key,
    load_ssh_public_key,
)

from glean.errors import CertificateError
from glean.regular_files import read_regular


@dataclass(frozen=True, repr=False)
class NodeKey:
    """A private key on an elliptic curve, as Flower's node authentication wants it.

    Parameters
    ----------
    private : EllipticCurvePrivateKey
        It stays in this process.
    """

    private: ec.EllipticCurvePrivateKey

    @property
    def public(self) -> bytes:
        """The public half in PEM, the form in which Flower sends it."""
        return self.private.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, content: bytes) -> bytes:
        """Sign by ECDSA over SHA-256, as Flower does."""
        return self.private.sign(content, ec.ECDSA(hashes.SHA256()))


def read_node_key(path: Path) -> NodeKey:
    """Read a node's private key.

    Raises
    ------
    CertificateError
        It can't be read, or is no such key.
    """
    try:
        found = load_ssh_private_key(read_regular(path.expanduser()), None)
    except OSError as error:
        raise CertificateError(f"{path} can't be read: {error.strerror or error}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm):
        found = None
    if not isinstance(found, ec.EllipticCurvePrivateKey):
        raise CertificateError(
            f"{path} holds no private key of a node; wanted `node-key` as `glean certificates "
            "--own` made it"
        )
    return NodeKey(found)


def encoded_node_key(line: str) -> bytes:
    """Give a node's public key in PEM, the form in which Flower has it.

    Parameters
    ----------
    line : str
        The key as a line of OpenSSH.

    Raises
    ------
    CertificateError
        It is no such key.
    """
    try:
        found = load_ssh_public_key(line.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        found = None
    if not isinstance(found, ec.EllipticCurvePublicKey):
        raise CertificateError(f"found {line[:60]!r}; wanted a node's public key")
    return found.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def node_key_line(encoded: bytes) -> str:
    """Give a node's public key as a line of OpenSSH, the form in which lists of members have it.

    Parameters
    ----------
    encoded : bytes
        The key in PEM, as Flower sends it.

    Raises
    ------
    CertificateError
        It is no such key.
    """
    try:
        found = load_pem_public_key(encoded)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        found = None
    if not isinstance(found, ec.EllipticCurvePublicKey):
        raise CertificateError("found no public key of a node")
    return found.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
