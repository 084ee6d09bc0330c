"""Keys of secure sums: a bakery's key pair of one epoch, and its signed advertisement.

Randomness and a signing key come in, advertisements go out, which `Cohort` puts together.
In a deployment each one is signed with the bakery's signing key and checked against the member list
by every other bakery, so that a server can't put keys of its own in between. One agreement serves
an epoch, usually a run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.asymmetric.x25519 import (
    X25519PrivateKey,
    X25519PublicKey,
)

from glean.errors import SecureSumError
from glean.privacy.mask_wire import Reader, text_field
from glean.privacy.members import Member
from glean.privacy.signing import fits, sign

PUBLIC_KEY_BYTES, SIGNATURE_BYTES = 32, 64
_CONTEXT = b"glean secure sums: key offer 1"
_ADVERTISEMENT_MARK = b"GO1"


@dataclass(frozen=True)
class KeyAdvertisement:
    """A bakery's public key for one epoch.

    Parameters
    ----------
    bakery : str
        Its name.
    public_key : bytes
        X25519, 32 bytes.
    signature : bytes
        Ed25519 over epoch, bakery and key, 64 bytes; empty in a simulation.
    """

    bakery: str
    public_key: bytes
    signature: bytes = b""

    def signed(self, signing_key: bytes, *, epoch: str) -> KeyAdvertisement:
        """Give the same advertisement with a signature.

        Parameters
        ----------
        signing_key : bytes
            The bakery's private Ed25519 key, PEM.
        epoch : str
            What the key is for.

        Raises
        ------
        SecureSumError
            The key isn't one.
        """
        return replace(self, signature=sign(signing_key, self._statement(epoch)))

    def verify(self, member: Member, *, epoch: str) -> None:
        """Check the signature against the key in the member list.

        Raises
        ------
        SecureSumError
            It isn't this member's signature over this key and epoch.
        """
        if not fits(self.signature, self._statement(epoch), member):
            raise SecureSumError(
                f"key advertisement of {self.bakery!r}: its signature doesn't fit; wanted one by "
                f"the signing key in members.json over this key and epoch {epoch!r}. Somebody "
                "stands between, or it is of another run: nothing is masked"
            )

    def check_key(self) -> None:
        """Refuse a key with which nobody could agree on anything.

        Raises
        ------
        SecureSumError
            It is a point of low order: everybody would refuse the whole cohort for it.
        """
        try:
            X25519PrivateKey.generate().exchange(X25519PublicKey.from_public_bytes(self.public_key))
        except ValueError as error:
            raise SecureSumError(
                f"key advertisement of {self.bakery!r}: its key can't be used ({error}); wanted an "
                "X25519 key"
            ) from error

    def to_bytes(self) -> bytes:
        """Write it; `from_bytes` reads it."""
        return _ADVERTISEMENT_MARK + self.body()

    @classmethod
    def from_bytes(cls, content: bytes) -> KeyAdvertisement:
        """Read what `to_bytes` wrote.

        Raises
        ------
        SecureSumError
            It is something else.
        """
        reader = Reader(content, "key advertisement", mark=_ADVERTISEMENT_MARK)
        advertisement = cls.read(reader)
        reader.end()
        return advertisement

    def body(self) -> bytes:
        """Write it as a part of another message."""
        return (
            text_field(self.bakery)
            + self.public_key
            + bytes([bool(self.signature)])
            + self.signature
        )

    @classmethod
    def read(cls, reader: Reader) -> KeyAdvertisement:
        """Read it as a part of another message."""
        bakery, key = reader.text(), reader.take(PUBLIC_KEY_BYTES)
        return cls(bakery, key, reader.take(SIGNATURE_BYTES) if reader.flag() else b"")

    def _statement(self, epoch: str) -> bytes:
        return _CONTEXT + text_field(epoch) + text_field(self.bakery) + self.public_key


@dataclass(frozen=True)
class KeyPair:
    """A bakery's key of one epoch, before it knows the others'.

    Parameters
    ----------
    bakery, epoch : str
        Its name, and the key agreement.
    private_key : bytes
        X25519, 32 bytes; never leaves the bakery.
    """

    bakery: str
    epoch: str
    private_key: bytes

    @classmethod
    def new(cls, bakery: str, *, epoch: str) -> KeyPair:
        """Draw one."""
        return cls(bakery, epoch, X25519PrivateKey.generate().private_bytes_raw())

    @property
    def advertisement(self) -> KeyAdvertisement:
        """What the others need; in a deployment to be signed."""
        private = X25519PrivateKey.from_private_bytes(self.private_key)
        return KeyAdvertisement(self.bakery, private.public_key().public_bytes_raw())
