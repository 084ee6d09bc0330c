"""Members' public keys, read once and kept: each is checked many times."""

from __future__ import annotations

from functools import lru_cache

from glean.errors import CertificateError
from glean.privacy.peer_identity import PeerKey


@lru_cache(maxsize=1024)
def public_key(text: str, *, rsa_accepted: bool = True) -> PeerKey:
    """Read a member's public keys.

    Raises
    ------
    CertificateError
        They aren't any, or of a kind that isn't accepted.
    """
    return PeerKey.of(text, rsa_accepted=rsa_accepted)


def signature_fits(key: str, statement: bytes, signature: str) -> bool:
    """Whether a signature, hexadecimal, is by a key."""
    try:
        return public_key(key).signed(bytes.fromhex(signature), statement)
    except (ValueError, CertificateError):
        return False
