"""A bakery's side of secure sums: it masks its vectors and reveals no more than a sum needs.

The cohort and a vector a step come in, masked vectors and unmask replies go out; `SecAggRound` on
the server takes them. What must be remembered between messages goes to bytes and back in
`mask_serialization`.
After Bonawitz et al. (CCS 2017), except that of a bakery that is gone no key is reconstructed: its
neighbours give away the seeds of this one step.
"""

from __future__ import annotations

import hashlib
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from glean.errors import SecureSumError
from glean.privacy.cohort import Cohort, within
from glean.privacy.mask_graph import FEWEST_BAKERIES
from glean.privacy.mask_keys import KeyPair
from glean.privacy.mask_messages import MaskedInput, SeedRequest, UnmaskReply, UnmaskRequest
from glean.privacy.mask_pairs import PairKeys
from glean.privacy.mask_seeds import (
    MaskStream,
    Words,
    commit,
    new_nonce,
    new_self_seed,
    self_key,
)
from glean.privacy.mask_shares import corrections
from glean.privacy.step_context import DIGEST_BYTES, UNBOUND, StepContext

_STEPS = 1 << 64


@dataclass(frozen=True)
class StepMemory:
    """What a bakery did in its last step, and so may not contradict.

    Parameters
    ----------
    step : int
        Number of the step; 0 before the first.
    participants, gone : int
        Sets over the cohort: who masked with it, and of whom it revealed a pair's seed.
    sent : int or None
        Of whom it revealed shares; None while it hasn't.
    context : StepContext
        What it was told.
    opened : bytes
        SHA-256 of the nonces whose vectors it has helped to open, 32 bytes; zeros before.
    """

    step: int = 0
    participants: int = 0
    gone: int = 0
    sent: int | None = None
    context: StepContext = UNBOUND
    opened: bytes = bytes(DIGEST_BYTES)


class SecAggClient:
    """A bakery in one epoch of secure sums.

    Parameters
    ----------
    key_pair : KeyPair
        Its key.
    cohort : Cohort
        Its neighbours' keys at least; in a deployment everybody's, after `Cohort.verify`.
    pairs : dict of int to bytes, optional
        Keys with neighbours that were made before, by place.
    memory : StepMemory, optional
        Its last step.

    Raises
    ------
    SecureSumError
        The cohort is of another epoch, lacks a neighbour, or doesn't have this bakery with this
        key.
    """

    def __init__(
        self,
        key_pair: KeyPair,
        cohort: Cohort,
        *,
        pairs: dict[int, bytes] | None = None,
        memory: StepMemory | None = None,
    ) -> None:
        if cohort.epoch != key_pair.epoch:
            raise SecureSumError(
                f"cohort: found epoch {cohort.epoch!r}; wanted {key_pair.epoch!r}, for which a key "
                "was advertised. Nothing is masked"
            )
        self.key_pair, self.cohort, self.memory = key_pair, cohort, memory or StepMemory()
        self.place = cohort.place(key_pair.bakery)
        if cohort.known[self.place].public_key != key_pair.advertisement.public_key:
            raise SecureSumError(
                f"cohort: found another key of {key_pair.bakery!r} than the one it advertised; "
                "wanted that one. Somebody stands between, or the list is old: nothing is masked"
            )
        self.neighbours = cohort.neighbours_of(self.place)
        if lacking := len({*self.neighbours} - cohort.known.keys()):
            raise SecureSumError(
                f"cohort: found no keys of {lacking} of {len(self.neighbours)} neighbours; wanted "
                "each one's. Nothing is masked"
            )
        self.keys = PairKeys(
            key_pair.private_key, self.place, cohort=cohort, known={} if pairs is None else pairs
        )

    def mask(
        self,
        vector: Words,
        *,
        step: int,
        participants: int,
        context: StepContext = UNBOUND,
    ) -> MaskedInput:
        """Mask a vector.

        Parameters
        ----------
        vector : ndarray of uint64, shape (n,)
            Summed modulo 2**64.
        step : int
            Greater than any before, so that no mask covers two vectors. Save the state before the
            vector is sent, for the same reason.
        participants : int
            Set over the cohort: who is asked to send in this step; the same for everybody.
        context : StepContext
            What this bakery was told. Its digest must be the same for everybody, or what comes of
            the vectors is noise.

        Returns
        -------
        MaskedInput
            What to send; uniform over the ring to whoever lacks the seed of one of its masks.

        Raises
        ------
        SecureSumError
            The step isn't greater, fewer than three take part, this bakery isn't among them, or
            too few of its neighbours are.
        RefusalError
            Too few contribute a part of the vector.
        """
        assert vector.dtype == np.uint64, "sums are taken in the ring of uint64"
        assert vector.ndim == 1, "a vector has one axis"
        neighbours = self._admitted(step, participants)
        context.check(participants)
        self.memory = StepMemory(step, participants, context=context)
        seed, nonce, bound = new_self_seed(), new_nonce(), self.bound
        masks = MaskStream(len(vector))
        masked: Words = vector + masks.of(self_key(seed))
        seeds = self.keys.seeds(neighbours, step, context.digest)
        before = bisect(neighbours, self.place)
        # Of a pair the one adds what the other subtracts.
        masks.subtract(seeds[:before], masked)
        masks.add(seeds[before:], masked)
        tokens = self.keys.own_tokens(neighbours, step=step, nonce=nonce, bound=bound)
        needed = self.cohort.threshold(len(neighbours))
        corrected = corrections(seed, tokens, needed=needed)
        return MaskedInput(step, nonce, commit(seed, step=step), corrected, masked)

    def unmask(self, request: UnmaskRequest) -> UnmaskReply:
        """Reveal what a sum needs of this bakery: of each neighbour a seed or a share, never both.

        A server that contradicts itself (an inconsistent one, which calls a bakery gone to some and
        a sender to others) learns no vector by it. It would need the shares of one
        from so many of its neighbours as the threshold says, who then keep their pairs' seeds with
        it, and these seeds from the bakery itself, which gives away fewer than half of its own.

        Parameters
        ----------
        request : UnmaskRequest
            About the last step that it masked in.

        Returns
        -------
        UnmaskReply
            The same for the same request.

        Raises
        ------
        SecureSumError
            The request is about another step, contradicts an earlier one, calls this bakery gone,
            or leaves too few senders to hide among.
        RefusalError
            It leaves too few of those who contribute a part of the vector.
        """
        if request.step != self.memory.step:
            raise SecureSumError(
                f"secure sum: found an unmask request about step {request.step}; wanted one about "
                f"step {self.memory.step}, the last that was masked. Nothing is revealed"
            )
        if request.bitmap & ~self.memory.participants:
            raise self._refusal("it names some that didn't take part")
        return self._seeds(request) if request.asked is SeedRequest.SEEDS else self._shares(request)

    def _seeds(self, request: UnmaskRequest) -> UnmaskReply:
        gone = self.memory.gone | request.bitmap
        if gone & (self.memory.sent or 0):
            raise self._refusal("it calls some gone whose shares were revealed as senders'")
        self._hidden(self.memory.participants & ~gone)
        self.memory = replace(self.memory, gone=gone)
        neighbours = self._neighbours_in(request.bitmap)
        found = self.keys.seeds(neighbours, request.step, self.memory.context.digest)
        return UnmaskReply(request.step, SeedRequest.SEEDS, tuple(found))

    def _shares(self, request: UnmaskRequest) -> UnmaskReply:
        sent = request.bitmap
        if sent & self.memory.gone or self.memory.sent not in (None, sent):
            raise self._refusal("it contradicts an earlier one on who sent")
        self._hidden(sent)
        neighbours = self._neighbours_in(sent)
        if len(neighbours) != len(request.nonces):
            raise self._refusal(
                f"{len(request.nonces)} nonces came of {len(neighbours)} neighbours"
            )
        opened = hashlib.sha256(b"".join(request.nonces)).digest()
        if self.memory.opened not in (StepMemory.opened, opened):
            raise self._refusal("shares of other vectors of the same step were revealed before")
        self.memory = replace(self.memory, sent=sent, opened=opened)
        nonces = dict(zip(neighbours, request.nonces, strict=True))
        found = self.keys.tokens_of(nonces, step=request.step, bound=self.bound)
        return UnmaskReply(request.step, SeedRequest.SHARES, found)

    def _admitted(self, step: int, participants: int) -> tuple[int, ...]:
        """Give the neighbours to mask with."""
        if not self.memory.step < step < _STEPS:
            raise SecureSumError(
                f"secure sum: found step {step} after step {self.memory.step}; wanted a greater "
                "one, since no mask may cover two vectors. Nothing is masked"
            )
        if participants & ~self.cohort.everybody or not participants >> self.place & 1:
            raise SecureSumError(
                f"secure sum: found participants of step {step} that aren't all in the cohort or "
                f"don't include {self.key_pair.bakery!r}; wanted both. Nothing is masked"
            )
        neighbours = self._neighbours_in(participants)
        self._check_enough(participants, neighbours, self.neighbours)
        return neighbours

    def _neighbours_in(self, bitmap: int) -> tuple[int, ...]:
        return within(self.neighbours, bitmap, self.cohort.everybody)

    def _hidden(self, senders: int) -> None:
        """Check that this bakery is among the senders, and that they are enough to hide among."""
        if not senders >> self.place & 1:
            raise self._refusal(f"it doesn't count {self.key_pair.bakery!r} among the senders")
        neighbours = self._neighbours_in(self.memory.participants)
        left = self._neighbours_in(senders)
        self._check_enough(senders, left, neighbours)
        self.memory.context.check(senders)

    def _check_enough(self, bakeries: int, left: Sequence[int], neighbours: Sequence[int]) -> None:
        """Check that a set of bakeries with some of the neighbours is enough to hide among."""
        found, needed = bakeries.bit_count(), self.cohort.threshold(len(neighbours))
        if found < FEWEST_BAKERIES or len(left) < needed:
            raise SecureSumError(
                f"secure sum: found {found} contributors, {len(left)} of them neighbours; wanted "
                f"{FEWEST_BAKERIES} or more with {needed} or more of {len(neighbours)} neighbours, "
                "to hide among. Nothing is masked or revealed: go on with those who are left, and "
                "agree on keys anew if they are too few for that"
            )

    @property
    def bound(self) -> bytes:
        """What tokens are bound to: who takes part in the step, and what was told of it."""
        participants = self.memory.participants.to_bytes(self.cohort.bitmap_bytes, "big")
        return hashlib.sha256(participants + self.memory.context.digest).digest()

    def _refusal(self, found: str) -> SecureSumError:
        return SecureSumError(
            f"unmask request about step {self.memory.step} of a secure sum: {found}; wanted one "
            "set of senders a step, the same for everybody. Nothing is revealed"
        )
