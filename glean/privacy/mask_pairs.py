"""What a bakery shares with each of its neighbours: keys of an epoch, a seed of each step.

A private key and the cohort come in; step seeds, and shares encrypted between two bakeries, go
out. Only `SecAggClient` has any use for them, on the bakery's own machine.
"""

from __future__ import annotations

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from glean.errors import SecureSumError
from glean.privacy.cohort import Cohort
from glean.privacy.mask_seeds import pairwise_seed
from glean.privacy.mask_wire import text_field
from glean.privacy.step_context import DIGEST_BYTES

PAIR_BYTES = 64
"""A key from which step seeds are derived, and one that encrypts shares: 32 bytes each."""

NONCE_BYTES = 12
"""Drawn for each share: a pair's key encrypts far fewer than the 2**32 that this is safe for."""

_CONTEXT = b"glean secure sums: pair 1"


class PairKeys:
    """A bakery's keys with its neighbours, made when they are first needed.

    Parameters
    ----------
    private_key : bytes
        The bakery's X25519 key, 32 bytes.
    place : int
        The bakery's place in the cohort.
    cohort : Cohort
        Everybody's public keys.
    known : dict of int to bytes
        Keys that were made before, 64 bytes each, by the other's place.
    """

    def __init__(
        self, private_key: bytes, place: int, *, cohort: Cohort, known: dict[int, bytes]
    ) -> None:
        self.place = place
        self.known = known
        self._private_key = private_key
        self._cohort = cohort
        self._ciphers: dict[int, AESGCM] = {}

    def seed(self, other: int, step: int, told: bytes = bytes(DIGEST_BYTES)) -> bytes:
        """Derive the pair's seed of a step, the same on both sides if both were told the same.

        Parameters
        ----------
        other : int
            The neighbour's place.
        step : int
            Number of the step.
        told : bytes
            Digest of what this side was told of the step.

        Raises
        ------
        SecureSumError
            The neighbour's public key can't be used.
        """
        return pairwise_seed(self._key(other)[: PAIR_BYTES // 2], step, told)

    def encrypt_share(self, other: int, share: bytes, *, step: int, context: bytes) -> bytes:
        """Encrypt a share for a neighbour, under a nonce that is drawn.

        Parameters
        ----------
        other : int
            The neighbour's place.
        share : bytes
            What it is to hold.
        step : int
            Number of the step.
        context : bytes
            What both must agree on, or it can't be decrypted.

        Returns
        -------
        bytes
            Nonce and ciphertext. A nonce out of the step would repeat in a bakery whose state was
            put back, and two shares under one nonce give each other away.
        """
        nonce = secrets.token_bytes(NONCE_BYTES)
        bound = _number(self.place, step) + context
        return nonce + self._cipher(other).encrypt(nonce, share, bound)

    def decrypt_share(
        self, other: int, encrypted: bytes, *, step: int, context: bytes
    ) -> bytes | None:
        """Decrypt a neighbour's share; None when it isn't one of this step and context."""
        try:
            nonce, content = encrypted[:NONCE_BYTES], encrypted[NONCE_BYTES:]
            return self._cipher(other).decrypt(nonce, content, _number(other, step) + context)
        except InvalidTag:
            return None

    def _cipher(self, other: int) -> AESGCM:
        if other not in self._ciphers:
            self._ciphers[other] = AESGCM(self._key(other)[PAIR_BYTES // 2 :])
        return self._ciphers[other]

    def _key(self, other: int) -> bytes:
        if other not in self.known:
            self.known[other] = self._agreed(other)
        return self.known[other]

    def _agreed(self, other: int) -> bytes:
        """Agree on keys; the cohort goes in: bakeries told of different ones share no key."""
        theirs, mine = self._cohort.advertisements[other], self._cohort.advertisements[self.place]
        private = X25519PrivateKey.from_private_bytes(self._private_key)
        try:
            shared = private.exchange(X25519PublicKey.from_public_bytes(theirs.public_key))
        except ValueError as error:
            raise SecureSumError(
                f"cohort: the key of {theirs.bakery!r} can't be used ({error}); wanted an X25519 "
                "key. Nothing is masked"
            ) from error
        names = b"".join(text_field(name) for name in sorted((mine.bakery, theirs.bakery)))
        info = _CONTEXT + text_field(self._cohort.epoch) + names
        return HKDF(hashes.SHA256(), PAIR_BYTES, self._cohort.digest, info).derive(shared)


def _number(sender: int, step: int) -> bytes:
    """Say whose share it is, of which step."""
    return sender.to_bytes(4, "big") + step.to_bytes(8, "big")
