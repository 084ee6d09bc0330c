"""The server's side of secure sums: one step's masked vectors come in, their sum goes out.

`SecAggRound` collects what `SecAggClient` made, asks what it needs to take the masks off, and adds.
It sees no vector without a mask on the way. Who calls it carries the bytes and waits:

    take every input -> while unmask_requests(): carry them, take the replies -> result()

When nobody vanishes that is one exchange of requests. When somebody does, seeds of the pairs with
those that are gone are asked first, until everybody who was asked has answered, and shares last:
the seed of a pair is known to its two bakeries alone, so one that vanishes before it has given
its seeds away can still be called gone then. After that, shares of the majority or more will do.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from glean.errors import SecureSumError
from glean.privacy.cohort import Cohort
from glean.privacy.mask_graph import FEWEST_BAKERIES
from glean.privacy.mask_messages import (
    MaskedInput,
    SeedRequest,
    UnmaskReply,
    UnmaskRequest,
)
from glean.privacy.mask_seeds import MaskStream, Words, commit, self_key
from glean.privacy.mask_shares import reconstruct_seed


class SecAggRound:
    """The sum of one step.

    Parameters
    ----------
    cohort : Cohort
        Keys of the epoch.
    step : int
        Number of the step, greater than any before in this epoch.
    participants : int
        Set over the cohort: who was asked to send.
    length : int
        Of the vectors.
    """

    def __init__(self, cohort: Cohort, *, step: int, participants: int, length: int) -> None:
        assert not participants & ~cohort.everybody, "participants are in the cohort"
        self.cohort, self.step, self.participants = cohort, step, participants
        self._length = length
        self._masked: dict[int, MaskedInput] = {}
        self._counted = 0
        self._asked: SeedRequest | None = None
        self._open: dict[int, tuple[int, ...]] = {}  # who was asked, and about which neighbours
        self._gone = 0  # of these, all seeds were asked
        self._seeds: dict[tuple[int, int], bytes] = {}
        self._shares: dict[int, dict[int, bytes]] = {}  # by who gave them, and of whom they are

    @property
    def counted(self) -> tuple[str, ...]:
        """Bakeries whose vectors are in the sum; known once requests are made."""
        return self.cohort.names_in(self._counted)

    def take_input(self, bakery: str, content: bytes) -> None:
        """Take a bakery's masked vector.

        Parameters
        ----------
        bakery : str
            Who sent it.
        content : bytes
            `MaskedInput` as bytes.

        Raises
        ------
        SecureSumError
            It isn't what this step needs, or comes too late: then it stays masked.
        """
        place, masked_input = self._place(bakery), MaskedInput.from_bytes(content)
        if self._asked is not None or place in self._masked:
            raise self._error(
                f"a second or late vector of {bakery!r}", "one each, before unmask requests"
            )
        neighbours = self.cohort.neighbours_in(place, self.participants)
        found = (masked_input.step, len(masked_input.vector), len(masked_input.corrections))
        spare = len(neighbours) - self.cohort.threshold(len(neighbours))
        wanted = (self.step, self._length, spare + 1)
        if found != wanted:
            raise self._error(f"step, length and corrections {found} of {bakery!r}", f"{wanted}")
        self._masked[place] = masked_input

    def unmask_requests(self) -> dict[str, UnmaskRequest]:
        """Give what to ask next, by bakery; nothing when `result` can be called.

        Whoever was asked before and hasn't answered counts as vanished.

        Raises
        ------
        SecureSumError
            Too few are left.
        """
        if self._asked is SeedRequest.SHARES:
            return {}
        left = self._masked.keys() if self._asked is None else _places(self._counted)
        self._counted = self._supported(_bitmap(place for place in left if place not in self._open))
        gone = self.participants & ~self._counted
        fresh = gone & ~self._gone
        self._gone = gone
        self._asked, bitmap, self._open = SeedRequest.SEEDS, fresh, self._about(fresh)
        if not self._open:
            self._asked, bitmap = SeedRequest.SHARES, self._counted
            self._open = self._about(self._counted)
        return {
            self.cohort.names[place]: UnmaskRequest(
                self.step, self._asked, bitmap, self._nonces(place)
            )
            for place in self._open
        }

    def take_reply(self, bakery: str, content: bytes) -> None:
        """Take a bakery's unmask reply.

        Parameters
        ----------
        bakery : str
            Who replied.
        content : bytes
            `UnmaskReply` as bytes.

        Raises
        ------
        SecureSumError
            It doesn't answer the request that is open for this bakery.
        """
        place, reply = self._place(bakery), UnmaskReply.from_bytes(content)
        about = self._open.get(place)
        if about is None or (reply.step, reply.asked) != (self.step, self._asked):
            raise self._error(f"an unmask reply of {bakery!r} to no open request", "one a request")
        if len(reply.secrets) != len(about):
            raise self._error(
                f"{len(reply.secrets)} secrets of {bakery!r}", f"those of {len(about)} neighbours"
            )
        del self._open[place]
        given = dict(zip(about, reply.secrets, strict=True))
        if reply.asked is SeedRequest.SEEDS:
            self._seeds |= {(place, other): secret for other, secret in given.items()}
        else:
            self._shares[place] = given

    def result(self) -> Words:
        """Take off the masks of the sum.

        Returns
        -------
        ndarray of uint64, shape (length,)
            Sum of the vectors of `counted`, modulo 2**64.

        Raises
        ------
        SecureSumError
            The self-mask of a bakery can't be reconstructed: too few of its neighbours answered, or
            shares are wrong.
        """
        assert self._asked is SeedRequest.SHARES, "unmask requests come before the result"
        total, masks = np.zeros(self._length, np.uint64), MaskStream(self._length)
        for place in _places(self._counted):
            np.add(total, self._masked[place].vector, total)
            masks.subtract([self._self_key(place)], total)
        for (place, other), seed in self._seeds.items():
            if self._counted >> place & 1:
                (masks.subtract if place < other else masks.add)([seed], total)
        return total

    def _self_key(self, place: int) -> bytes:
        masked_input, given = self._masked[place], self._shares
        neighbours = self.cohort.neighbours_in(place, self.participants)
        # Holders' shares are numbered from 1, whether all have answered or not.
        shares = {
            number: given[holder][place]
            for number, holder in enumerate(neighbours, start=1)
            if holder in given and place in given[holder]
        }
        holders, needed = len(neighbours), self.cohort.threshold(len(neighbours))
        seed = reconstruct_seed(
            shares,
            masked_input.corrections,
            needed=needed,
            fits=lambda found: commit(found, step=self.step) == masked_input.commitment,
        )
        if seed is None:
            raise self._error(
                f"{len(shares)} of {holders} shares of {self.cohort.names[place]!r}",
                f"{needed} or more that fit. The step has no sum; go on with those who are left",
            )
        return self_key(seed)

    def _supported(self, senders: int) -> int:
        """Leave out senders that would refuse to answer, for so few of their neighbours sent.

        Their vectors stay masked. It may leave others with too few in turn. Where all sent nobody
        is, as each has the neighbours then that it masked with.
        """
        while senders != self.participants and (
            isolated := _bitmap(
                place for place in _places(senders) if self._isolated(place, senders)
            )
        ):
            senders &= ~isolated
        if senders.bit_count() < FEWEST_BAKERIES:
            raise self._error(
                f"{senders.bit_count()} of {self.participants.bit_count()} contributors with "
                "enough of their neighbours",
                f"{FEWEST_BAKERIES} or more. The step has no sum; go on with those who are left",
            )
        return senders

    def _isolated(self, place: int, senders: int) -> bool:
        neighbours = self.cohort.neighbours_in(place, self.participants)
        return len(self.cohort.neighbours_in(place, senders)) < self.cohort.threshold(
            len(neighbours)
        )

    def _about(self, bitmap: int) -> dict[int, tuple[int, ...]]:
        """Give who can be asked about some of a set, and about which."""
        found = (
            (place, self.cohort.neighbours_in(place, bitmap)) for place in _places(self._counted)
        )
        return {place: others for place, others in found if others}

    def _nonces(self, holder: int) -> tuple[bytes, ...]:
        """Give the nonces that a request takes to a bakery, in their senders' order."""
        if self._asked is SeedRequest.SEEDS:
            return ()
        return tuple(self._masked[sender].nonce for sender in self._open[holder])

    def _place(self, bakery: str) -> int:
        place = self.cohort.place(bakery)
        if not self.participants >> place & 1:
            raise self._error(f"{bakery!r}, which wasn't asked", "participants only")
        return place

    def _error(self, found: str, wanted: str) -> SecureSumError:
        return SecureSumError(f"step {self.step} of a secure sum: found {found}; wanted {wanted}")


def _places(bitmap: int) -> list[int]:
    return [place for place in range(bitmap.bit_length()) if bitmap >> place & 1]


def _bitmap(places: Iterable[int]) -> int:
    found = 0
    for place in places:
        found |= 1 << place
    return found
