"""Seeds of masks: made, stretched to masks, shared among neighbours, reconstructed.

Secrets come in and words, shares and seeds go out. All primitives are those of `cryptography`
(HKDF, AES-256 in counter mode) and of `shamirs` (secret sharing); `SecAggClient` and
`SecAggRound` stand on this module.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

Words = npt.NDArray[np.uint64]
"""A vector over the ring of integers modulo 2**64."""

SEED_BYTES = 32
"""Of a pair's step seed: a key of AES-256."""

SHARE_BYTES = 16
"""Of a self-mask's seed, of each share of it, of its seal and of its commitment."""

FIELD = 2**127 - 1
"""A prime just below 16 bytes; self-mask seeds and their shares are residues of it."""

_WORD_BYTES = 8
_FROM_ZERO = modes.CTR(bytes(16))
_STEP, _SELF = b"glean secure sums: step 2", b"glean secure sums: self 1"
_SEAL, _COMMITMENT = b"glean secure sums: seal 1", b"glean secure sums: check 1"


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
    info = _STEP + step.to_bytes(8, "big") + told
    return HKDFExpand(hashes.SHA256(), SEED_BYTES, info).derive(pair_key)


def self_key(seed: int) -> bytes:
    """Stretch a self-mask's seed to a key of the stream cipher."""
    content = seed.to_bytes(SHARE_BYTES, "big")
    return HKDFExpand(hashes.SHA256(), SEED_BYTES, _SELF).derive(content)


def mask_stream(key: bytes, length: int) -> Words:
    """Stretch a key to a mask.

    Parameters
    ----------
    key : bytes
        32 bytes that are used for one mask only, which is why the counter may begin at 0.
    length : int
        Of the mask, in numbers.
    """
    cipher = Cipher(algorithms.AES(key), _FROM_ZERO)
    stream = cipher.encryptor().update(_zeros(length * _WORD_BYTES))
    return np.frombuffer(stream, "<u8").astype(np.uint64, copy=False)


@lru_cache(maxsize=8)
def _zeros(size: int) -> bytes:
    return bytes(size)


def new_self_seed() -> int:
    """Draw a self-mask's seed; 127 bits."""
    return secrets.randbelow(FIELD)


def share_seed(seed: int, *, holders: int, needed: int) -> tuple[bytes, ...]:
    """Share a seed among holders by Shamir's scheme.

    Returns
    -------
    tuple of bytes
        Values at 1, 2, ...; any `needed` of them give the seed, fewer tell nothing about it.
    """
    import shamirs

    found = shamirs.shares(seed, quantity=holders, modulus=FIELD, threshold=needed, compact=True)
    return tuple(share[1].to_bytes(SHARE_BYTES, "big") for share in found)


def seal(seed: int, shares: Sequence[bytes], *, step: int) -> bytes:
    """Hide a seed behind all of its shares, so that who has them all needn't interpolate.

    Interpolation takes milliseconds, a hash a microsecond. The seal tells nothing to anybody else:
    who has fewer shares than are needed lacks at least one residue of 127 bits that is
    uniform to him and goes into the hash, so that the pad is as random to him as the hash
    function is; who has enough but not all could interpolate anyway.
    """
    pad = int.from_bytes(_pad(shares, step), "big")
    return (seed ^ pad).to_bytes(SHARE_BYTES, "big")


def commit(seed: int, *, step: int) -> bytes:
    """Give a hash of a seed, by which a wrong share is noticed."""
    return _hash(_COMMITMENT, step, seed.to_bytes(SHARE_BYTES, "big"))


def reconstruct_seed(
    shares: Mapping[int, bytes],
    *,
    holders: int,
    needed: int,
    sealed: bytes,
    commitment: bytes,
    step: int,
) -> int | None:
    """Find a seed from shares.

    Parameters
    ----------
    shares : mapping of int to bytes
        Those that are known, by their number from 1.
    holders, needed : int
        How many there are, and how many are needed.
    sealed, commitment : bytes
        What `seal` and `commit` gave.
    step : int
        What the seed is for.

    Returns
    -------
    int or None
        The seed; None when there are too few shares, or too many of them are wrong.
    """
    if len(shares) == holders:
        values = [shares[number] for number in range(1, holders + 1)]
        seed = int.from_bytes(sealed, "big") ^ int.from_bytes(_pad(values, step), "big")
        if seed < FIELD and commit(seed, step=step) == commitment:
            return seed
    return _interpolated(shares, needed, commitment, step)


def _interpolated(
    shares: Mapping[int, bytes], needed: int, commitment: bytes, step: int
) -> int | None:
    """Try windows of shares until the commitment fits; the first does unless one is wrong."""
    import shamirs

    points = [
        shamirs.share(number, value, FIELD)
        for number, content in sorted(shares.items())
        if (value := int.from_bytes(content, "big")) < FIELD
    ]
    if len(points) < needed:
        return None
    for start in range(len(points)):
        window = (points[start:] + points[:start])[:needed]
        seed = int(shamirs.interpolate(window, threshold=needed))
        if commit(seed, step=step) == commitment:
            return seed
        if len(points) == needed:
            break
    return None


def _pad(shares: Sequence[bytes], step: int) -> bytes:
    return _hash(_SEAL, step, b"".join(shares))


def _hash(context: bytes, step: int, content: bytes) -> bytes:
    return hashlib.sha256(context + step.to_bytes(8, "big") + content).digest()[:SHARE_BYTES]
