"""Messages of a secure sum as bytes: a masked input, an unmask request, an unmask reply.

Each is a frozen value with `to_bytes` and a strict `from_bytes`. `SecAggClient` writes the first
and the last on a bakery's machine, `SecAggRound` the request on the server.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from glean.errors import SecureSumError
from glean.privacy.mask_seeds import SEED_BYTES, STEP_NONCE_BYTES, Words
from glean.privacy.mask_shares import SHARE_BYTES
from glean.privacy.mask_wire import Reader
from glean.privacy.place_sets import set_from_bytes, set_to_bytes

_WORD_BYTES = 8

_INPUT = b"glean GM4 "
"""So long that the vector begins at a multiple of a word, and can be added up where it lies."""


class SeedRequest(IntEnum):
    """What an unmask request wants revealed."""

    SEEDS = 1
    """The step's seeds of the pairs with bakeries that are gone."""

    SHARES = 2
    """The tokens of the self-masks of bakeries that sent."""


@dataclass(frozen=True)
class MaskedInput:
    """What a bakery sends in a step.

    Parameters
    ----------
    step : int
        Number of the step.
    nonce, commitment : bytes
        Its nonce, and a commitment to its self-mask's seed, 16 bytes each.
    corrections : tuple of bytes
        What neighbours' tokens lack to shares of that seed (`mask_shares.corrections`).
    vector : ndarray of uint64
        The masked vector.
    """

    step: int
    nonce: bytes
    commitment: bytes
    corrections: tuple[bytes, ...]
    vector: Words

    def to_bytes(self) -> bytes:
        """Write it; `from_bytes` reads it."""
        head = _INPUT + self.step.to_bytes(8, "big") + len(self.corrections).to_bytes(2, "big")
        size = len(self.vector).to_bytes(4, "big")
        vector = self.vector.astype("<u8", copy=False).data
        return b"".join((head, size, self.nonce, self.commitment, *self.corrections, vector))

    @classmethod
    def from_bytes(cls, content: bytes) -> MaskedInput:
        """Read what `to_bytes` wrote.

        Raises
        ------
        SecureSumError
            It is something else.
        """
        reader = Reader(content, "masked input", mark=_INPUT)
        step, count, size = reader.number(8), reader.number(2), reader.number(4)
        nonce, commitment = reader.take(STEP_NONCE_BYTES), reader.take(SHARE_BYTES)
        corrections = _pieces(reader, count, SHARE_BYTES)
        vector = reader.view(size * _WORD_BYTES)
        reader.end()
        masked = np.frombuffer(vector, "<u8").astype(np.uint64, copy=False)
        return cls(step, nonce, commitment, corrections, masked)


@dataclass(frozen=True)
class UnmaskRequest:
    """What the server asks of one bakery after a step's vectors have come.

    Parameters
    ----------
    step : int
        Number of the step.
    asked : SeedRequest
        Which kind of secret.
    bitmap : int
        Set over the cohort: all that are gone, or all that count as senders.
    nonces : tuple of bytes
        For `SHARES`: those of the vectors of this bakery's neighbours among the senders, in their
        order.
    """

    step: int
    asked: SeedRequest
    bitmap: int
    nonces: tuple[bytes, ...] = ()

    def to_bytes(self) -> bytes:
        """Write it; `from_bytes` reads it."""
        bitmap = set_to_bytes(self.bitmap)
        head = b"GQ3" + self.step.to_bytes(8, "big") + bytes([self.asked])
        sizes = len(bitmap).to_bytes(4, "big") + len(self.nonces).to_bytes(2, "big")
        return b"".join((head, sizes, bitmap, *self.nonces))

    @classmethod
    def from_bytes(cls, content: bytes) -> UnmaskRequest:
        """Read what `to_bytes` wrote.

        Raises
        ------
        SecureSumError
            It is something else.
        """
        reader = Reader(content, "unmask request", mark=b"GQ3")
        step, asked = reader.number(8), _seed_request(reader)
        size, count = reader.number(4), reader.number(2)
        bitmap = set_from_bytes(reader.take(size))
        nonces = _pieces(reader, count, STEP_NONCE_BYTES)
        reader.end()
        return cls(step, asked, bitmap, nonces)


@dataclass(frozen=True)
class UnmaskReply:
    """What a bakery reveals.

    Parameters
    ----------
    step : int
        Number of the step.
    asked : SeedRequest
        Which kind of secret.
    secrets : tuple of bytes
        For each neighbour that the request was about, in their order: a seed of 32 bytes or a
        token of 16.
    """

    step: int
    asked: SeedRequest
    secrets: tuple[bytes, ...]

    def to_bytes(self) -> bytes:
        """Write it; `from_bytes` reads it."""
        head = b"GA2" + self.step.to_bytes(8, "big") + bytes([self.asked])
        return b"".join((head, len(self.secrets).to_bytes(2, "big"), *self.secrets))

    @classmethod
    def from_bytes(cls, content: bytes) -> UnmaskReply:
        """Read what `to_bytes` wrote.

        Raises
        ------
        SecureSumError
            It is something else.
        """
        reader = Reader(content, "unmask reply", mark=b"GA2")
        step, asked, count = reader.number(8), _seed_request(reader), reader.number(2)
        size = SEED_BYTES if asked is SeedRequest.SEEDS else SHARE_BYTES
        found = _pieces(reader, count, size)
        reader.end()
        return cls(step, asked, found)


def _pieces(reader: Reader, count: int, size: int) -> tuple[bytes, ...]:
    content = reader.take(count * size)
    return tuple([content[at : at + size] for at in range(0, len(content), size)])


def _seed_request(reader: Reader) -> SeedRequest:
    found = reader.number(1)
    try:
        return SeedRequest(found)
    except ValueError as error:
        raise SecureSumError(
            f"secure sum: found an unmask request of kind {found}; wanted 1 or 2"
        ) from error
