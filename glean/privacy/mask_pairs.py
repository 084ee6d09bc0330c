"""What a bakery shares with each of its neighbours: keys of an epoch, a seed of each step.

A private key and the cohort come in; step seeds, and tokens of self-masks, go out. Only
`SecAggClient` has any use for them, on the bakery's own machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from glean.errors import SecureSumError
from glean.privacy.cohort import Cohort
from glean.privacy.mask_seeds import pairwise_seeds, share_tokens
from glean.privacy.mask_wire import text_field
from glean.privacy.step_context import DIGEST_BYTES

PAIR_BYTES, _HALF = 64, 32
"""A key from which step seeds are derived, and one for tokens of self-masks: 32 bytes each."""

_CONTEXT = b"glean secure sums: pair 2"


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
        (seed,) = self.seeds([other], step, told)
        return seed

    def seeds(
        self, others: Sequence[int], step: int, told: bytes = bytes(DIGEST_BYTES)
    ) -> list[bytes]:
        """Derive the seeds of several pairs, by the neighbours' places, as `seed` does."""
        return pairwise_seeds([key[:_HALF] for key in self._keys(others)], step, told)

    def own_tokens(
        self, others: Sequence[int], *, step: int, nonce: bytes, bound: bytes
    ) -> list[bytes]:
        """Derive the tokens by which neighbours open this bakery's self-mask.

        Parameters
        ----------
        others : sequence of int
            The neighbours' places.
        step : int
            Number of the step.
        nonce : bytes
            Of this bakery's vector.
        bound : bytes
            What both sides must agree on, or they have different tokens.
        """
        about = self.place.to_bytes(4, "big") + step.to_bytes(8, "big") + nonce + bound
        keys = [key[_HALF:] for key in self._keys(others)]
        return share_tokens(keys, [about] * len(keys))

    def tokens_of(
        self, nonces: Mapping[int, bytes], *, step: int, bound: bytes
    ) -> tuple[bytes, ...]:
        """Derive the tokens by which this bakery opens neighbours' self-masks.

        Parameters
        ----------
        nonces : mapping of int to bytes
            Of the neighbours' vectors, by their places.
        step : int
            Number of the step.
        bound : bytes
            What both sides must agree on.
        """
        keys = [key[_HALF:] for key in self._keys(nonces)]
        which = step.to_bytes(8, "big")
        about = [
            other.to_bytes(4, "big") + which + nonce + bound for other, nonce in nonces.items()
        ]
        return tuple(share_tokens(keys, about))

    def _keys(self, others: Iterable[int]) -> list[bytes]:
        """Give the keys with neighbours; those that aren't there yet are made."""
        known = self.known
        try:
            return [known[other] for other in others]
        except KeyError:
            known |= {other: self._agreed(other) for other in others if other not in known}
            return [known[other] for other in others]

    def _agreed(self, other: int) -> bytes:
        """Agree on keys; the cohort goes in: bakeries told of different ones share no key."""
        theirs, mine = self._cohort.known[other], self._cohort.known[self.place]
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
