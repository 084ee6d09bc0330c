"""Seeds of masks: made, stretched to masks, and tokens by which neighbours open them.

Secrets come in; words, seeds and tokens go out. All primitives are keyed BLAKE2b (RFC 7693) of
`hashlib` and AES-256-GCM of `cryptography`; `SecAggClient` and `SecAggRound` stand on this module,
and on `mask_shares` for the sharing of self-masks.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from glean.privacy.mask_shares import FIELD, SHARE_BYTES

Words = npt.NDArray[np.uint64]
"""A vector over the ring of integers modulo 2**64."""

SEED_BYTES = 32
"""Of a pair's step seed: a key of AES-256."""

STEP_NONCE_BYTES = 16
"""Drawn for each vector; a token opens the self-mask of the vector that goes with it only."""

_WORD_BYTES, _TAG_BYTES = 8, 16
_ONCE = bytes(12)  # each key encrypts once
_STEP, _SELF = b"glean step 3", b"glean self 2"
_TOKEN, _COMMITMENT = b"glean token 1", b"glean check 2"


def pairwise_seed(pair_key: bytes, step: int, told: bytes = b"") -> bytes:
    """Derive a pair's seed for one step; it tells nothing about the key or other steps' seeds.

    Parameters
    ----------
    pair_key : bytes
        What the two share.
    step : int
        Number of the step.
    told : bytes
        Digest of what the server told: two that were told different things derive other seeds.
    """
    (seed,) = pairwise_seeds([pair_key], step, told)
    return seed


def pairwise_seeds(pair_keys: Iterable[bytes], step: int, told: bytes = b"") -> list[bytes]:
    """Derive the seeds of several pairs, each as `pairwise_seed` does."""
    content, keyed = step.to_bytes(8, "big") + told, hashlib.blake2b
    return [
        keyed(content, key=key, digest_size=SEED_BYTES, person=_STEP).digest() for key in pair_keys
    ]


def self_key(seed: int) -> bytes:
    """Stretch a self-mask's seed to a key of the stream cipher."""
    content = seed.to_bytes(SHARE_BYTES, "big")
    return hashlib.blake2b(key=content, digest_size=SEED_BYTES, person=_SELF).digest()


def share_token(pair_key: bytes, about: bytes) -> bytes:
    """Derive what a pair alone knows of one self-mask, by which its share is opened.

    Parameters
    ----------
    pair_key : bytes
        What the two share, and use for nothing else.
    about : bytes
        Whose self-mask, of which vector, step and words of the server.
    """
    (token,) = share_tokens([pair_key], [about])
    return token


def share_tokens(pair_keys: Iterable[bytes], about: Iterable[bytes]) -> list[bytes]:
    """Derive the tokens of several pairs, each as `share_token` does."""
    keyed = hashlib.blake2b
    return [
        keyed(each, key=key, digest_size=SHARE_BYTES, person=_TOKEN).digest()
        for key, each in zip(pair_keys, about, strict=True)
    ]


class MaskStream:
    """Stretches keys to masks of one length.

    A mask is the key stream of AES-256 in counter mode, as GCM has it; its tag is left out. Each
    key is used for one mask only, which is why the nonce may be zero.

    Parameters
    ----------
    length : int
        Of each mask, in numbers.
    """

    def __init__(self, length: int) -> None:
        self._zeros = _zeros(length * _WORD_BYTES)
        stream = np.empty(length * _WORD_BYTES + _TAG_BYTES, np.uint8)
        self._words = stream[: length * _WORD_BYTES].view("<u8")
        self._buffer = stream.data

    def of(self, key: bytes) -> Words:
        """Stretch a key of 32 bytes; what is given is overwritten by the next call."""
        AESGCM(key).encrypt_into(_ONCE, self._zeros, None, self._buffer)
        return self._words.astype(np.uint64, copy=False)

    def add(self, keys: Iterable[bytes], total: Words) -> None:
        """Add the masks of several keys to numbers, in place."""
        self._each(np.add, keys, total)

    def subtract(self, keys: Iterable[bytes], total: Words) -> None:
        """Subtract the masks of several keys from numbers, in place."""
        self._each(np.subtract, keys, total)

    def _each(self, combine: np.ufunc, keys: Iterable[bytes], total: Words) -> None:
        zeros, buffer, words = self._zeros, self._buffer, self._words
        for key in keys:
            AESGCM(key).encrypt_into(_ONCE, zeros, None, buffer)
            combine(total, words, total)


def mask_stream(key: bytes, length: int) -> Words:
    """Stretch one key to a mask of so many numbers."""
    return MaskStream(length).of(key)


@lru_cache(maxsize=8)
def _zeros(size: int) -> bytes:
    return bytes(size)


def new_self_seed() -> int:
    """Draw a self-mask's seed; 127 bits."""
    return secrets.randbelow(FIELD)


def new_nonce() -> bytes:
    """Draw the nonce of a vector; one out of the step would repeat in a state that was put back."""
    return secrets.token_bytes(STEP_NONCE_BYTES)


def commit(seed: int, *, step: int) -> bytes:
    """Give a hash of a seed, by which a wrong share is noticed."""
    content = step.to_bytes(8, "big") + seed.to_bytes(SHARE_BYTES, "big")
    return hashlib.blake2b(content, digest_size=SHARE_BYTES, person=_COMMITMENT).digest()
