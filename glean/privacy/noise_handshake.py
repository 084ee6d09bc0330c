"""The handshake Noise_XX_25519_ChaChaPoly_SHA256, as revision 34 of the Noise specification has it.

Bytes in, bytes out; whose keys they are, `peer_handshake.py` says. Names are the specification's.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from glean.errors import FederationError

PROTOCOL: Final = b"Noise_XX_25519_ChaChaPoly_SHA256"
"""Its length is that of a hash, so it is the first hash as it stands."""

LONGEST_MESSAGE: Final = 65535
TAG_BYTES: Final = 16

_KEY_BYTES = 32
_PATTERN = (("e",), ("e", "ee", "s", "es"), ("s", "se"))
_LAST_NONCE = 2**64 - 1


class NoiseError(FederationError):
    """A message isn't what the other side of this handshake or connection wrote next."""


class CipherState:
    """A key and how many messages it has served.

    Parameters
    ----------
    key : bytes or None
        None: what is encrypted stays as it is, as before the first shared secret.
    """

    def __init__(self, key: bytes | None = None) -> None:
        self._cipher = None if key is None else ChaCha20Poly1305(key)
        self._nonce = 0

    def encrypt(self, plaintext: bytes, ad: bytes = b"") -> bytes:
        """Encrypt the next message."""
        if self._cipher is None:
            return plaintext
        return self._cipher.encrypt(self._next_nonce(), plaintext, ad)

    def decrypt(self, ciphertext: bytes, ad: bytes = b"") -> bytes:
        """Decrypt the next message.

        Raises
        ------
        NoiseError
            It is another one, or was changed.
        """
        if self._cipher is None:
            return ciphertext
        try:
            return self._cipher.decrypt(self._next_nonce(), ciphertext, ad)
        except (InvalidTag, ValueError) as error:
            raise NoiseError(
                "found a message that was changed, repeated or left out on its way; wanted the "
                "next one as the other side wrote it"
            ) from error

    def _next_nonce(self) -> bytes:
        if self._nonce >= _LAST_NONCE:
            raise NoiseError("found a key that has served all its messages; wanted a new handshake")
        nonce = bytes(4) + self._nonce.to_bytes(8, "little")
        self._nonce += 1
        return nonce


class NoiseHandshake:
    """One side of a handshake: three messages, written and read in turn, the initiator first.

    Parameters
    ----------
    initiator : bool
        Which side.
    prologue : bytes
        What both sides have to agree on; with another one the handshake fails.
    static : X25519PrivateKey
        The side's own key.
    ephemeral : X25519PrivateKey or None
        For published test vectors only; None: a new one.
    """

    def __init__(
        self,
        *,
        initiator: bool,
        prologue: bytes,
        static: X25519PrivateKey,
        ephemeral: X25519PrivateKey | None = None,
    ) -> None:
        self._initiator, self._static = initiator, static
        self._ephemeral = ephemeral or X25519PrivateKey.generate()
        self._remote: dict[str, X25519PublicKey] = {}
        self._hash = self._chaining_key = PROTOCOL
        self._cipher = CipherState()
        self._done = 0
        self._mix_hash(prologue)

    @property
    def remote_static(self) -> bytes:
        """The other side's key, once its message with it was read."""
        return self._remote["s"].public_bytes_raw()

    def write(self, payload: bytes = b"") -> bytes:
        """Write the next message."""
        assert self._turn == "write", f"this side's turn is to {self._turn}"
        message = b""
        for step in _PATTERN[self._done]:
            if step == "e":
                public = self._ephemeral.public_key().public_bytes_raw()
                self._mix_hash(public)
                message += public
            elif step == "s":
                message += self._encrypt_and_hash(self._static.public_key().public_bytes_raw())
            else:
                self._mix_secret(step)
        self._done += 1
        return message + self._encrypt_and_hash(payload)

    def read(self, message: bytes) -> bytes:
        """Read the next message and give its payload.

        Raises
        ------
        NoiseError
            It isn't the other side's next message of this handshake.
        """
        assert self._turn == "read", f"this side's turn is to {self._turn}"
        if len(message) > LONGEST_MESSAGE:
            raise NoiseError(
                f"found a handshake message of {len(message)} bytes; wanted at most "
                f"{LONGEST_MESSAGE}"
            )
        for step in _PATTERN[self._done]:
            if step in ("e", "s"):
                message = self._read_key(step, message)
            else:
                self._mix_secret(step)
        self._done += 1
        return self._decrypt_and_hash(message)

    def split(self) -> tuple[CipherState, CipherState]:
        """Give the keys of the connection: to send with, to receive with."""
        assert self._done == len(_PATTERN), "the handshake isn't over"
        first, second = (CipherState(key) for key in self._hkdf(b""))
        return (first, second) if self._initiator else (second, first)

    @property
    def _turn(self) -> str:
        if self._done == len(_PATTERN):
            return "split"
        return "write" if (self._done % 2 == 0) == self._initiator else "read"

    def _read_key(self, step: str, message: bytes) -> bytes:
        """Read the key at the head of a message, and give what follows it."""
        sealed = step == "s"
        length = _KEY_BYTES + (TAG_BYTES if sealed else 0)
        if len(message) < length:
            raise NoiseError(
                f"found a handshake message that was cut off after {len(message)} bytes; wanted a "
                f"key of {length}"
            )
        found = message[:length]
        if sealed:
            found = self._decrypt_and_hash(found)
        else:
            self._mix_hash(found)
        self._remote[step] = X25519PublicKey.from_public_bytes(found)
        return message[length:]

    def _mix_secret(self, step: str) -> None:
        """Mix what the two sides' keys share: "es" is the initiator's "e" with the other's "s"."""
        mine, theirs = (step[0], step[1]) if self._initiator else (step[1], step[0])
        private = self._ephemeral if mine == "e" else self._static
        try:
            secret = private.exchange(self._remote[theirs])
        except ValueError as error:
            raise NoiseError(
                "found a key in a handshake that shares nothing; wanted a key as X25519 makes it"
            ) from error
        self._chaining_key, key = self._hkdf(secret)
        self._cipher = CipherState(key)

    def _hkdf(self, material: bytes) -> tuple[bytes, bytes]:
        temporary = hmac.digest(self._chaining_key, material, hashlib.sha256)
        first = hmac.digest(temporary, b"\x01", hashlib.sha256)
        return first, hmac.digest(temporary, first + b"\x02", hashlib.sha256)

    def _mix_hash(self, content: bytes) -> None:
        self._hash = hashlib.sha256(self._hash + content).digest()

    def _encrypt_and_hash(self, plaintext: bytes) -> bytes:
        ciphertext = self._cipher.encrypt(plaintext, self._hash)
        self._mix_hash(ciphertext)
        return ciphertext

    def _decrypt_and_hash(self, ciphertext: bytes) -> bytes:
        plaintext = self._cipher.decrypt(ciphertext, self._hash)
        self._mix_hash(ciphertext)
        return plaintext
