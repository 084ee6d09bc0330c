"""The server's key for models: it signs the card of each, and who uses a model checks that first.

A card names the SHA-256 of its model, so the signature covers both. What a key is worth depends on
where it lies: one beside the model protects only from damage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_ssh_public_key,
)

from glean.errors import CertificateError, ModelError
from glean.privacy.signing import fingerprint
from glean.regular_files import read_regular
from glean.runs.model_card import KEY_FILE as PUBLIC_FILE
from glean.runs.model_card import CardSignature, ModelCard, cards_beside

VARIABLE = "GLEAN_MODEL_KEY"
"""Environment variable of the ServerApp: path of the private key."""

PRIVATE_FILE = "model-key"

_CLAIM = b"glean: the card of a model 1\n"
_AS_MADE = "wanted {name}, as `glean certificates` made it"


@dataclass(frozen=True)
class ModelKey:
    """The public half.

    Parameters
    ----------
    line : str
        As one line of OpenSSH, without a comment.
    """

    line: str

    @classmethod
    def of(cls, content: bytes, *, source: str) -> Self:
        """Read a public key file.

        Parameters
        ----------
        content : bytes
            The file.
        source : str
            What it is called in a message.

        Raises
        ------
        CertificateError
            It is none, or of another kind.
        """
        wanted = _AS_MADE.format(name=PUBLIC_FILE)
        if b"PRIVATE KEY" in content:
            raise CertificateError(f"{source}: found a private key; {wanted}")
        try:
            key = load_ssh_public_key(content)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise CertificateError(f"{source} can't be read ({error!s:.80}); {wanted}") from error
        if not isinstance(key, ed25519.Ed25519PublicKey):
            raise CertificateError(f"{source}: found a key of another kind; {wanted}")
        return cls(_line(key))

    @classmethod
    def read(cls, path: Path, *, source: str = "") -> Self:
        """Read the file of a public key.

        Raises
        ------
        CertificateError
            As `of`; or there is no such file.
        """
        return cls.of(_content(path, source), source=source or str(path))

    @property
    def fingerprint(self) -> str:
        """What people compare: 32 digits in groups of four."""
        return fingerprint(self.line)

    def signed(self, card: ModelCard) -> bool:
        """Whether a card was signed by this key, and is as it was then."""
        if card.signature is None or card.signature.key != self.line:
            return False
        try:
            value = bytes.fromhex(card.signature.value)
        except ValueError:
            return False
        statement = _CLAIM + card.statement(self.line)
        return value.hex() == card.signature.value and self.signed_bytes(value, statement)

    def signed_bytes(self, signature: bytes, statement: bytes) -> bool:
        """Whether a signature over a statement, with its own domain in front, is by this key."""
        key = load_ssh_public_key(self.line.encode())
        assert isinstance(key, ed25519.Ed25519PublicKey)  # `of` has seen to it
        try:
            key.verify(signature, statement)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True)
class ModelSigner:
    """The private half, at the server.

    Parameters
    ----------
    pem : bytes
        Private Ed25519 key, PEM.
    source : str
        What it is called in a message.
    """

    pem: bytes
    source: str

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self | None:
        """Read the key that the environment names; None where it names none.

        Raises
        ------
        CertificateError
            It can't be read, or is none.
        """
        path = environment.get(VARIABLE)
        if not path:
            return None
        source = f"the environment variable {VARIABLE}: {path}"
        return cls.read(Path(path).expanduser(), source=source)

    @classmethod
    def read(cls, path: Path, *, source: str = "") -> Self:
        """Read the file of a private key.

        Raises
        ------
        CertificateError
            It can't be read, or is none.
        """
        signer = cls(_content(path, source), source or str(path))
        signer.private()
        return signer

    @property
    def public(self) -> ModelKey:
        """The public half."""
        return ModelKey(_line(self.private().public_key()))

    def private(self) -> ed25519.Ed25519PrivateKey:
        """Give the key.

        Raises
        ------
        CertificateError
            It is none.
        """
        wanted = _AS_MADE.format(name=PRIVATE_FILE)
        try:
            key = load_pem_private_key(self.pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise CertificateError(f"{self.source} is no private key; {wanted}") from error
        if not isinstance(key, ed25519.Ed25519PrivateKey):
            raise CertificateError(f"{self.source}: found a key of another kind; {wanted}")
        return key

    def sign(self, card: ModelCard) -> ModelCard:
        """Sign a card."""
        line = self.public.line
        value = self.private().sign(_CLAIM + card.statement(line))
        return replace(card, signature=CardSignature(line, value.hex()))


def new_model_key() -> tuple[bytes, ModelKey]:
    """Make a key: the private half, PEM, and the public one."""
    key = ed25519.Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem, ModelKey(_line(key.public_key()))


def known_key(model: Path, given: ModelKey | None) -> ModelKey | None:
    """Give the key that a model file has to be signed by: the one given, or one beside the file.

    Raises
    ------
    CertificateError
        The one beside it can't be read.
    """
    beside = model.with_name(PUBLIC_FILE)
    if given is None and beside.exists():
        return ModelKey.read(beside)
    return given


def check_model_file(model: Path, content: bytes, key: ModelKey | None) -> ModelCard | None:
    """Check a model file before anything reads what is in it.

    Parameters
    ----------
    model : Path
        Where it lies; its card lies beside it.
    content : bytes
        The file.
    key : ModelKey or None
        Whose signature it must have; None: any that is there must be right.

    Returns
    -------
    ModelCard or None
        Its card; None where it has none and needs none.

    Raises
    ------
    ModelError
        It isn't signed as it must be, or isn't what its card names.
    CertificateError
        A key that lies beside it can't be read.
    """
    key = known_key(model, key)
    cards = [ModelCard.from_bytes(found) for found in cards_beside(model)]
    card = next((found for found in cards if found.is_of(content)), None)
    if card is None:
        if any(found.file == model.name for found in cards):
            raise ModelError(
                f"{model} isn't the model that its card names: one of them was damaged, or "
                "exchanged; wanted both from one run"
            )
        if key is not None:
            raise ModelError(
                f"{model} has no card beside it that says who made it; wanted one that is signed "
                f"by the key {key.fingerprint}"
            )
        return None
    check_signature(card, key, what=str(model))
    return card


def check_signature(card: ModelCard, key: ModelKey | None, *, what: str) -> None:
    """Check who signed a card.

    Parameters
    ----------
    card : ModelCard
        The card.
    key : ModelKey or None
        Who must have; None: nobody, but a signature that is there must be right.
    what : str
        What the card is of, in a message.

    Raises
    ------
    ModelError
        It wasn't signed by that key, or is no longer as it was.
    """
    if card.signature is None:
        if key is not None:
            raise ModelError(
                f"{what} isn't signed; wanted a signature by the key {key.fingerprint}"
            )
        return
    try:
        found = ModelKey.of(card.signature.key.encode(), source="the card's key")
    except CertificateError as error:
        raise ModelError(f"{what}: {error}") from error
    if key is not None and found != key:
        raise ModelError(
            f"{what} is signed by another key, {found.fingerprint}; wanted {key.fingerprint}"
        )
    if not found.signed(card):
        raise ModelError(f"{what} has a card with a wrong signature: it was changed afterwards")


def _content(path: Path, source: str) -> bytes:
    try:
        return read_regular(path)
    except OSError as error:
        raise CertificateError(
            f"{source or path} can't be read ({error.strerror or error})"
        ) from error


def _line(key: ed25519.Ed25519PublicKey) -> str:
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
