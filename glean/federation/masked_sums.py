"""The server's part in secure sums: it carries keys, masked vectors and the opening of each sum.

The protocol itself is in `privacy/`; here it meets messages, bakeries that come and go, and a run
that has to go on when a sum is lost.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from glean.errors import FederationError, SecureSumError
from glean.federation.council import Council
from glean.federation.step_messages import KeysReply, KeysTask, OpeningReply, OpeningTask
from glean.privacy.mask_graph import FEWEST_BAKERIES
from glean.privacy.mask_keys import KeyOffer
from glean.privacy.mask_roster import Roster
from glean.privacy.secure_sum import SecureSum

LOG = logging.getLogger("glean")

KEYS = "train.keys"
OPEN = "train.open"

Words = NDArray[np.int64]


class MaskedSums:
    """Secure sums over the bakeries of a federation.

    Parameters
    ----------
    council : Council
        The bakeries.

    Attributes
    ----------
    keyless : set of str
        Bakeries that have lost their keys and haven't made new ones yet.
    """

    def __init__(self, council: Council) -> None:
        self._council = council
        self._talk = council.talk
        self._roster: Roster | None = None
        self._informed: set[str] = set()
        self.keyless: set[str] = set()
        self._run = secrets.token_hex(8)
        self._agreements = 0

    def prepare(self, names: Iterable[str], number: int) -> tuple[str, ...]:
        """See to it that bakeries hold each other's keys; those of them that do, in text order.

        In a deployment too few may be so for a moment only: others are waited for.

        Raises
        ------
        FederationError
            They are too few for a secure sum.
        """
        self._council.await_crowd(number, len(self._there(names)))
        wanted = self._there(names)
        self.check(len(wanted), number)
        if not self._serves(wanted):
            self._agree(wanted, number)
            assert self._roster is not None, "keys were agreed on"
            wanted = tuple(name for name in wanted if name in self._roster.places)
        return wanted

    def check(self, contributors: int, number: int) -> None:
        """Refuse a sum of fewer bakeries than hide each other.

        Raises
        ------
        FederationError
            They are fewer than three.
        """
        if contributors < FEWEST_BAKERIES:
            raise FederationError(
                f"round {number}: secure-sums: found {contributors} bakeries to sum over; wanted "
                f"{FEWEST_BAKERIES} or more, since of two each could tell the other's part from "
                "the sum. Let more join, or switch it off with secure-sums=false"
            )

    def marks(self, names: Iterable[str]) -> bytes:
        """Write who takes part in a step, for a message."""
        assert self._roster is not None, "keys were agreed on"
        return self._roster.marks(names).to_bytes(self._roster.mark_bytes, "big")

    def roster_for(self, name: str) -> bytes:
        """Give everybody's keys to a bakery that lacks them; nothing to the others."""
        assert self._roster is not None, "keys were agreed on"
        return b"" if name in self._informed else self._roster.to_bytes()

    def lack(self, name: str) -> None:
        """Note that a bakery has lost its keys: all make new ones before the next step."""
        LOG.info("%s has lost its keys: all make new ones", name)
        self.keyless.add(name)
        self._roster = None

    def total(
        self,
        step: int,
        names: tuple[str, ...],
        vectors: Mapping[str, bytes],
        *,
        length: int,
        number: int,
    ) -> tuple[tuple[str, ...], Words]:
        """Open the sum of a step.

        Parameters
        ----------
        step : int
            Its number.
        names : tuple of str
            Who was asked, from `prepare`.
        vectors : mapping of str to bytes
            The masked vectors that came.
        length : int
            Words of each.
        number : int
            The round.

        Returns
        -------
        senders : tuple of str
            Whose vectors are in the sum.
        total : int64 array of shape (length,)
            The sum.

        Raises
        ------
        SecureSumError
            Too few are left to open it.
        """
        roster = self._roster
        if roster is None:
            raise SecureSumError("a bakery has lost its keys; wanted those that were agreed on")
        self._informed |= vectors.keys()
        summed = SecureSum(roster, step=step, participants=roster.marks(names), words=length)
        for name, vector in vectors.items():
            self._try(name, number, partial(summed.take, name, vector))
        self._open(summed, number)
        total: Words = summed.result().view(np.int64)
        return summed.counted, total

    def lose(self, reason: str, number: int) -> None:
        """Write down that a sum can't be opened; those who are left make new keys."""
        self._roster = None
        self._talk.folder.append_event("sum_lost", round=number, reason=reason)
        LOG.warning("round %d: a secure sum is lost, those who are left go on: %s", number, reason)

    def _there(self, names: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted(name for name in names if name in self._talk.present))

    def _serves(self, names: tuple[str, ...]) -> bool:
        """Whether the keys that there are will do for these bakeries."""
        roster = self._roster
        if roster is None or not {*names} <= roster.places.keys():
            return False
        return not roster.lonely(roster.marks(names))

    def _agree(self, names: tuple[str, ...], number: int) -> None:
        """Have those who are to sum make keys; a majority of each one's neighbours is asked."""
        self._agreements += 1
        epoch = f"{self._run}-{self._agreements}"
        newcomers = self._council.newcomers
        records = {
            name: KeysTask(newcomer=name in newcomers, epoch=epoch).to_record() for name in names
        }
        offers: list[KeyOffer] = []
        for name, reply in self._council.replies(KEYS, records, KeysReply, number=number).items():
            self._try(name, number, partial(_add_offer, offers, name, reply.offer))
        self.check(len(offers), number)
        self._roster = Roster.of(offers, epoch=epoch, seed=secrets.token_bytes(16))
        self._informed = set()
        self.keyless -= {*names}

    def _open(self, summed: SecureSum, number: int) -> None:
        newcomers = self._council.newcomers
        while questions := summed.questions():
            records = {
                name: OpeningTask(name in newcomers, question.to_bytes()).to_record()
                for name, question in questions.items()
            }
            for name, reply in self._council.replies(
                OPEN, records, OpeningReply, number=number
            ).items():
                self._try(name, number, partial(summed.answer, name, reply.answer))

    def _try(self, name: str, number: int, take: Callable[[], object]) -> None:
        """Take what a bakery sent, or write down why it can't be."""
        try:
            take()
        except SecureSumError as error:
            self._talk.report_failure(name, str(error), round_number=number)


def _add_offer(offers: list[KeyOffer], name: str, content: bytes) -> None:
    offer = KeyOffer.from_bytes(content)
    if offer.bakery != name:
        raise SecureSumError(f"found a key of {offer.bakery!r}; wanted one of {name!r}")
    offers.append(offer)
