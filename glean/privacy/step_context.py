"""What a bakery was told of one step of secure sums, and among whom its vector has to be hidden.

A digest and sets over the cohort come in from who reads the server's request; `SecAggClient`
derives the step's masks from the digest, and refuses what would leave too few.
"""

from __future__ import annotations

from dataclasses import dataclass

from glean.errors import RefusalError
from glean.privacy.mask_wire import Reader

DIGEST_BYTES = 32


@dataclass(frozen=True)
class StepContext:
    """What binds the masks of a step.

    Parameters
    ----------
    digest : bytes
        SHA-256 of all that the bakery was told; 32 bytes, zeros where nothing binds. Two bakeries
        that were told different things share no mask and can't open each other's shares.
    contributors : tuple of int
        For each part of the vector the set over the cohort of those who contribute it and count.
    at_least : int
        So many of them a part needs, among those asked and among those who sent.
    noised : int
        Set over the cohort: whose noise counts.
    noise_from : int
        On the noise of so many the account relies; 0 without noise.
    """

    digest: bytes = bytes(DIGEST_BYTES)
    contributors: tuple[int, ...] = ()
    at_least: int = 0
    noised: int = 0
    noise_from: int = 0

    def check(self, senders: int) -> None:
        """Refuse a sum in which too few stand behind a part, or give noise.

        Parameters
        ----------
        senders : int
            Set over the cohort: whose vectors are to be in the sum.

        Raises
        ------
        RefusalError
            They are fewer than `at_least`, or than `noise_from` of those whose noise counts.
        """
        counts = [(part & senders).bit_count() for part in self.contributors]
        if counts and min(counts) < self.at_least:
            raise RefusalError(
                "too few contributors",
                f"secure sum: found {min(counts)} contributors that count for a part of the "
                f"vector; wanted {self.at_least} or more. Let more join, confirm those "
                "that you know (node config trusted-members), or lower min-contributors",
            )
        noise = (self.noised & senders).bit_count()
        if noise < self.noise_from:
            raise RefusalError(
                "too little noise",
                f"secure sum: found {noise} contributors whose noise counts; wanted "
                f"{self.noise_from} or more, as the account relies on. Let those who are missing "
                "come back, or confirm those that "
                "you know (node config trusted-members)",
            )

    def to_bytes(self, bitmap_bytes: int) -> bytes:
        """Write it, sets in so many bytes each; `read` reads it."""
        count = len(self.contributors).to_bytes(2, "big")
        sets = (part.to_bytes(bitmap_bytes, "big") for part in self.contributors)
        noise = self.noised.to_bytes(bitmap_bytes, "big") + self.noise_from.to_bytes(4, "big")
        return b"".join((self.digest, self.at_least.to_bytes(4, "big"), noise, count, *sets))

    @classmethod
    def read(cls, reader: Reader, bitmap_bytes: int) -> StepContext:
        """Read it as a part of another message."""
        digest, at_least = reader.take(DIGEST_BYTES), reader.number(4)
        noised, noise_from, count = reader.number(bitmap_bytes), reader.number(4), reader.number(2)
        contributors = tuple(reader.number(bitmap_bytes) for _ in range(count))
        return cls(digest, contributors, at_least, noised, noise_from)


UNBOUND = StepContext()
"""Binds nothing and asks for nobody."""
