"""Uniform and normal numbers that follow from a key, of a cryptographic stream.

Whoever has the key draws the same numbers again; to anybody else they are as good as random, since
they are the key stream of AES-256. PyTorch's generator would not do: on a CPU it is a Mersenne
Twister with 32 bits of a seed, so few that all of them can be tried.

Normal numbers are floating-point ones. What the gaps between those tell (Mironov, "On significance
of the least significant bits for differential privacy", CCS 2012) stays open.
"""

from __future__ import annotations

import hashlib
import hmac

import numpy as np
from numpy.typing import NDArray

from glean.privacy.mask_seeds import mask_stream

Floats = NDArray[np.float64]

KEY_BYTES = 32

_UNIT = 2.0**-53


def derived_key(secret: bytes, about: bytes) -> bytes:
    """Derive a key of 32 bytes for a purpose, by HMAC-SHA256."""
    return hmac.new(secret, about, hashlib.sha256).digest()


class KeyedNoise:
    """Draws one array after the other.

    Parameters
    ----------
    key : bytes
        32 bytes, used for nothing else.
    """

    def __init__(self, key: bytes) -> None:
        assert len(key) == KEY_BYTES, f"found a key of {len(key)} bytes; wanted {KEY_BYTES}"
        self._key = key
        self._drawn = 0

    def uniforms(self, size: int) -> Floats:
        """Draw numbers from 0 up to and without 1, multiples of 2**-53."""
        key = derived_key(self._key, self._drawn.to_bytes(8, "big"))
        self._drawn += 1  # each key is stretched once
        return (mask_stream(key, size) >> np.uint64(11)).astype(np.float64) * _UNIT

    def random_bytes(self, size: int) -> bytes:
        """Draw bytes, for a sampler of its own."""
        key = derived_key(self._key, self._drawn.to_bytes(8, "big"))
        self._drawn += 1
        return mask_stream(key, -(-size // 8)).astype("<u8").tobytes()[:size]

    def normals(self, size: int) -> Floats:
        """Draw standard normal numbers by Box and Muller (1958)."""
        half = -(-size // 2)
        first, second = self.uniforms(2 * half).reshape(2, half)
        radius = np.sqrt(-2.0 * np.log(1.0 - first))
        angle = 2.0 * np.pi * second
        return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:size]
