"""Who a peer of the mesh is: a key that it signs with, and one that others encrypt to it by.

The first is Ed25519, or RSA of 2048 bits or more where that is asked for; the second is X25519, and
signed with the first, so that who trusts the one trusts the other.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_ssh_public_key,
)

from glean.errors import CertificateError
from glean.privacy.key_files import write_new
from glean.privacy.signing import fingerprint
from glean.regular_files import read_regular

SIGNING_FILE: Final = "signing-key"
ENCRYPTION_FILE: Final = "encryption-key"
SESSION_BYTES: Final = 8

_PROOF = b"glean mesh: others encrypt to this key 1\n"
_RSA_BITS = range(2048, 4097)
_RSA_EXPONENT = 65537
_LONGEST_TEXT = 4096
_ENCRYPTION_KEY_BYTES = 32
_SALT = padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256.digest_size)
_AS_MADE = "wanted one as `glean mesh init` made it"

SigningKey = ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class PeerKey:
    """The public halves.

    Parameters
    ----------
    signing_key : str
        As one line of OpenSSH, without a comment.
    encryption_key : str
        32 bytes of X25519, hexadecimal.
    proof : str
        Signature of the second by the first, hexadecimal; of RSA, each is another one.
    """

    signing_key: str
    encryption_key: str
    proof: str = field(compare=False)

    @classmethod
    def of(cls, text: str, *, rsa_accepted: bool = False) -> Self:
        """Read what `str` wrote, and check that the two belong together.

        Parameters
        ----------
        text : str
            The line.
        rsa_accepted : bool
            Whether a signing key may be RSA.

        Raises
        ------
        CertificateError
            It isn't a peer's key, or is of a kind that isn't accepted.
        """
        parts = text.split(" ") if len(text) <= _LONGEST_TEXT else []
        if len(parts) != 4:
            raise CertificateError(
                f"a peer's key: found {text[:60]!r}; wanted four words on a line: {_AS_MADE}"
            )
        key = cls(f"{parts[0]} {parts[1]}", parts[2], parts[3])
        found = _public(key.signing_key)
        if isinstance(found, rsa.RSAPublicKey) and not rsa_accepted:
            raise CertificateError(
                "a peer's key: found an RSA key; wanted Ed25519, or RSA accepted where the mesh is "
                "set up"
            )
        try:
            encryption, proof = bytes.fromhex(key.encryption_key), bytes.fromhex(key.proof)
        except ValueError as error:
            raise CertificateError(
                f"a peer's key: found {error}; wanted hexadecimal digits: {_AS_MADE}"
            ) from error
        written = (encryption.hex(), proof.hex()) == (key.encryption_key, key.proof)
        signed = key.signed(proof, _PROOF + encryption)
        if not (written and signed and len(encryption) == _ENCRYPTION_KEY_BYTES):
            raise CertificateError(
                "a peer's key: found one to encrypt by that its signing key hasn't signed; "
                f"{_AS_MADE}"
            )
        return key

    def __str__(self) -> str:
        return f"{self.signing_key} {self.encryption_key} {self.proof}"

    @property
    def fingerprint(self) -> str:
        """What people compare, of the signing key: 32 digits in groups of four."""
        return fingerprint(self.signing_key)

    def signed(self, signature: bytes, statement: bytes) -> bool:
        """Whether a signature over a statement, with its own domain in front, is by this key."""
        key = _public(self.signing_key)
        try:
            if isinstance(key, rsa.RSAPublicKey):
                key.verify(signature, statement, _SALT, hashes.SHA256())
            else:
                key.verify(signature, statement)
        except InvalidSignature:
            return False
        return True

    def to_encrypt_by(self) -> x25519.X25519PublicKey:
        """Give the key that messages for this peer are encrypted by."""
        return x25519.X25519PublicKey.from_public_bytes(bytes.fromhex(self.encryption_key))


class PeerIdentity:
    """The private halves, and the public ones that go with them.

    `session` is another one each time that keys are read or made: it tells a peer that was started
    anew from one that connects once more.

    Parameters
    ----------
    signing_pem, encryption_pem : bytes
        Private keys, PEM: Ed25519 or RSA, and X25519.

    Raises
    ------
    CertificateError
        They aren't.
    """

    def __init__(self, signing_pem: bytes, encryption_pem: bytes) -> None:
        signing, encryption = _private(signing_pem), _private(encryption_pem)
        if not isinstance(signing, ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey):
            raise CertificateError(f"{SIGNING_FILE}: found a key of another kind; {_AS_MADE}")
        if not isinstance(encryption, x25519.X25519PrivateKey):
            raise CertificateError(f"{ENCRYPTION_FILE}: found a key of another kind; {_AS_MADE}")
        self._signing: SigningKey = signing
        self.encryption_key: x25519.X25519PrivateKey = encryption
        self.session = secrets.token_bytes(SESSION_BYTES)
        public = encryption.public_key().public_bytes_raw()
        self.public = PeerKey(
            _line(signing.public_key()),
            public.hex(),
            self.sign(_PROOF + public).hex(),
        )
        _public(self.public.signing_key)

    @classmethod
    def new(cls, *, kind: str = "ed25519", signing_pem: bytes | None = None) -> Self:
        """Make an identity.

        Parameters
        ----------
        kind : str
            Of the signing key: "ed25519" or "rsa-2048".
        signing_pem : bytes or None
            A signing key that is there already, like a member's.

        Raises
        ------
        CertificateError
            The kind is another one; or the key that was given is none.
        """
        if signing_pem is None:
            signing_pem = _new_signing_key(kind)
        return cls(signing_pem, _pem(x25519.X25519PrivateKey.generate()))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the two files of a folder.

        Raises
        ------
        CertificateError
            One can't be read, or is no such key.
        """
        contents = []
        for name in (SIGNING_FILE, ENCRYPTION_FILE):
            try:
                contents.append(read_regular(folder / name))
            except OSError as error:
                raise CertificateError(
                    f"{folder / name} can't be read: {error.strerror or error}; {_AS_MADE}"
                ) from error
        return cls(contents[0], contents[1])

    def write(self, folder: Path) -> None:
        """Write the two files, new ones only, readable for their owner alone.

        A signing key that is there already and is this one stays.

        Raises
        ------
        CertificateError
            A file is there already, or can't be written.
        """
        contents = {SIGNING_FILE: _pem(self._signing), ENCRYPTION_FILE: _pem(self.encryption_key)}
        for name, content in contents.items():
            path = folder / name
            try:
                if not (name == SIGNING_FILE and path.exists() and read_regular(path) == content):
                    write_new(path, content)
            except OSError as error:
                raise CertificateError(
                    f"{path} can't be written: {error.strerror or error}; nothing is overwritten: "
                    "wanted a folder without keys that you may write to"
                ) from error

    def sign(self, statement: bytes) -> bytes:
        """Sign a statement, which has its own domain in front."""
        if isinstance(self._signing, rsa.RSAPrivateKey):
            return self._signing.sign(statement, _SALT, hashes.SHA256())
        return self._signing.sign(statement)


def _new_signing_key(kind: str) -> bytes:
    match kind:
        case "ed25519":
            return _pem(ed25519.Ed25519PrivateKey.generate())
        case "rsa-2048":
            return _pem(rsa.generate_private_key(_RSA_EXPONENT, 2048))
        case _:
            raise CertificateError(f"kind of key: found {kind!r}; wanted ed25519 or rsa-2048")


def _pem(key: SigningKey | x25519.X25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _line(key: ed25519.Ed25519PublicKey | rsa.RSAPublicKey) -> str:
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _private(pem: bytes) -> object:
    try:
        return load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CertificateError(f"a peer's key can't be read: {error!s:.80}; {_AS_MADE}") from error


def _public(line: str) -> ed25519.Ed25519PublicKey | rsa.RSAPublicKey:
    try:
        key = load_ssh_public_key(line.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateError(f"a peer's key can't be read: {error!s:.80}; {_AS_MADE}") from error
    if isinstance(key, ed25519.Ed25519PublicKey):
        if _line(key) == line:
            return key
    elif isinstance(key, rsa.RSAPublicKey) and _line(key) == line:
        numbers = key.public_numbers()
        if key.key_size in _RSA_BITS and numbers.e == _RSA_EXPONENT:
            return key
        raise CertificateError(
            f"a peer's key: found RSA of {key.key_size} bits with the exponent {numbers.e}; wanted "
            f"{_RSA_BITS[0]} to {_RSA_BITS[-1]} bits and {_RSA_EXPONENT}"
        )
    raise CertificateError(f"a peer's key: found one of another kind; {_AS_MADE}")
