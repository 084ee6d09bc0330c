"""Bakeries that have agreed on keys, and one step of a secure sum among them, all by bytes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from glean.errors import SecureSumError
from glean.privacy.mask_keys import KeyOffer, OwnKey
from glean.privacy.mask_messages import Question
from glean.privacy.mask_roster import Roster
from glean.privacy.mask_seeds import Words
from glean.privacy.masking import Masker
from glean.privacy.secure_sum import SecureSum


def agreed(count: int, *, seed: bytes = b"seed") -> list[Masker]:
    """Maskers of so many bakeries, by place."""
    own = [OwnKey.new(f"bakery {number:03}", epoch="run 1") for number in range(count)]
    offers = [KeyOffer.from_bytes(key.offer.to_bytes()) for key in own]
    roster = Roster.from_bytes(Roster.of(offers, epoch="run 1", seed=seed).to_bytes())
    return [Masker(key, roster) for key in own]


def vectors(count: int, *, words: int = 5, seed: int = 0) -> list[Words]:
    """Vectors from all over the ring."""
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 2**64, words, dtype=np.uint64) for _ in range(count)]


def plain_sum(summands: Sequence[Words]) -> Words:
    total = np.zeros(len(summands[0]), np.uint64)
    for vector in summands:
        total += vector
    return total


def masked_step(
    maskers: Sequence[Masker],
    summands: Sequence[Words],
    *,
    step: int = 1,
    absent: Collection[int] = (),
    silent: Collection[int] = (),
) -> SecureSum:
    """Mask and take: those absent aren't asked, those silent are asked and don't send."""
    roster = maskers[0].roster
    participants = roster.everybody & ~sum(1 << place for place in absent)
    total = SecureSum(roster, step=step, participants=participants, words=len(summands[0]))
    for masker, vector in zip(maskers, summands, strict=True):
        if masker.place not in {*absent, *silent}:
            masked = masker.mask(vector, step=step, participants=participants)
            total.take(masker.own.bakery, masked.to_bytes())
    return total


def asked(
    total: SecureSum, maskers: Sequence[Masker], *, answering: Mapping[int, int] | None = None
) -> Words:
    """Ask until there is a result; a bakery in `answering` answers so often and then vanishes."""
    left = dict(answering or {})
    while questions := total.questions():
        for bakery, question in questions.items():
            place = total.roster.place(bakery)
            left[place] = left.get(place, len(maskers)) - 1
            if left[place] >= 0:
                answer = maskers[place].answer(Question.from_bytes(question.to_bytes()))
                total.answer(bakery, answer.to_bytes())
    return total.result()


def refusal(call: object) -> str:
    """What a call says that is refused."""
    assert callable(call)
    try:
        call()
    except SecureSumError as error:
        return str(error)
    raise AssertionError("it wasn't refused")
