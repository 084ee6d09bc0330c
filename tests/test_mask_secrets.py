"""What a server can't learn: earlier steps and late vectors of one that is gone; two stories."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from glean.errors import SecureSumError
from glean.privacy.mask_graph import threshold
from glean.privacy.mask_messages import Answer, Asked, Masked, Question
from glean.privacy.mask_seeds import (
    Words,
    mask_words,
    new_self_seed,
    open_seed,
    self_key,
    step_seed,
)
from glean.privacy.mask_state import read_masker, write_masker
from glean.privacy.masking import Masker
from glean.privacy.secure_sum import SecureSum
from tests.maskers import agreed, plain_sum, refusal, vectors

COUNT, WORDS, STEPS, VICTIM = 6, 4096, 10, 2
ALMOST_NEVER = 1e-7


@dataclass
class Server:
    """A curious server: it does its work, and keeps all that it ever sees."""

    maskers: list[Masker]
    masked: dict[tuple[int, int], Masked] = field(default_factory=dict)
    answers: dict[tuple[int, int, Asked], Answer] = field(default_factory=dict)
    asked: dict[tuple[int, Asked], int] = field(default_factory=dict)

    def step(self, summands: list[Words], step: int, *, silent: tuple[int, ...] = ()) -> Words:
        roster = self.maskers[0].roster
        total = SecureSum(roster, step=step, participants=roster.everybody, words=WORDS)
        for masker, vector in zip(self.maskers, summands, strict=True):
            sent = masker.mask(vector, step=step, participants=roster.everybody)
            self.masked[step, masker.place] = sent  # a late one arrives too
            if masker.place not in silent:
                total.take(masker.own.bakery, sent.to_bytes())
        while questions := total.questions():
            for bakery, question in questions.items():
                place = roster.place(bakery)
                answer = self.maskers[place].answer(question)
                self.answers[step, place, question.asked] = answer
                self.asked[step, question.asked] = question.marks
                total.answer(bakery, answer.to_bytes())
        return total.result()

    def shares(self, step: int, sender: int) -> dict[int, bytes]:
        """All shares of a sender's self-mask, by their number."""
        roster, found = self.maskers[0].roster, {}
        for (at, holder, asked), answer in self.answers.items():
            near = roster.near(holder, self.asked[at, asked])
            if (at, asked) == (step, Asked.SHARES) and sender in near:
                number = roster.neighbours[sender].index(holder) + 1
                found[number] = answer.secrets[near.index(sender)]
        return found

    def self_seed(self, step: int, sender: int) -> int | None:
        sent = self.masked[step, sender]
        return open_seed(
            self.shares(step, sender),
            holders=len(sent.boxes),
            needed=threshold(len(sent.boxes)),
            sealed=sent.sealed,
            checked=sent.checked,
            step=step,
        )

    def keys(self) -> set[bytes]:
        """Every key of a mask that it has, or gets by deriving from what it has."""
        revealed = {secret for answer in self.answers.values() for secret in answer.secrets}
        revealed |= {sent.sealed for sent in self.masked.values()}
        revealed |= {sent.checked for sent in self.masked.values()}
        revealed |= {box for sent in self.masked.values() for box in sent.boxes}
        opened = [self.self_seed(*place) for place in self.masked]
        derived = {step_seed(key, step) for key in revealed for step in range(1, STEPS + 1)}
        return revealed | derived | {self_key(seed) for seed in opened if seed is not None}


def p_uniform(words: Words) -> float:
    counts: npt.NDArray[np.int64] = np.bincount(
        np.frombuffer(words.tobytes(), np.uint8), minlength=256
    )
    return float(stats.chisquare(counts).pvalue)


def unmasked_by(
    server: Server, step: int, own: int, known: set[bytes], *, masker: Masker
) -> tuple[Words, int]:
    """Take off all masks of the victim that the server knows; the rest, and how many it lacks."""
    rest, lacking = server.masked[step, VICTIM].words.copy(), 0
    for other in masker.roster.neighbours[VICTIM]:
        key = masker.keys.seed(other, step)
        if key in known:
            words = mask_words(key, WORDS)
            rest = rest - words if other > VICTIM else rest + words
        else:
            lacking += 1
    if self_key(own) in known:
        return rest - mask_words(self_key(own), WORDS), lacking
    return rest, lacking + 1


def test_a_bakery_gone_in_step_10_shows_neither_steps_1_to_9_nor_its_late_vector(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With all that the server ever saw, each of the ten vectors is covered by an unknown mask."""
    maskers = agreed(COUNT)
    server, own = Server(maskers), {}
    small = np.arange(WORDS, dtype=np.uint64) % np.uint64(7)
    others = vectors(COUNT, words=WORDS)
    summands = [small if place == VICTIM else others[place] for place in range(COUNT)]
    for step in range(1, STEPS + 1):
        drawn = _watched(monkeypatch)
        silent = (VICTIM,) if step == STEPS else ()
        result = server.step(summands, step, silent=silent)
        own[step] = drawn[VICTIM]
        left = [vector for place, vector in enumerate(summands) if place not in silent]
        np.testing.assert_array_equal(result, plain_sum(left))
    _stubborn(server)
    known, victim = server.keys(), maskers[VICTIM]
    assert p_uniform(small) < ALMOST_NEVER
    for step in range(1, STEPS + 1):
        late = step == STEPS
        rest, lacking = unmasked_by(server, step, own[step], known, masker=victim)
        assert (self_key(own[step]) in known) is not late
        assert lacking == (1 if late else COUNT - 1)
        assert p_uniform(rest) > ALMOST_NEVER
    assert server.self_seed(STEPS, VICTIM) is None
    assert not {masker.own.private_key for masker in maskers} & known
    assert not {key[:32] for masker in maskers for key in masker.keys.known.values()} & known
    assert not {key[32:] for masker in maskers for key in masker.keys.known.values()} & known
    everything = known | {victim.keys.seed(other, 1) for other in range(COUNT) if other != VICTIM}
    rest, lacking = unmasked_by(server, 1, own[1], everything, masker=victim)
    assert lacking == 0
    np.testing.assert_array_equal(rest, small)  # so the test would have noticed


def _watched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """See which self-mask seeds are drawn in a step, in order of places."""
    drawn: list[int] = []

    def remembered() -> int:
        drawn.append(new_self_seed())
        return drawn[-1]

    monkeypatch.setattr("glean.privacy.masking.new_self_seed", remembered)
    return drawn


def _stubborn(server: Server) -> None:
    """Ask everybody for the missing halves: old steps' seeds, and shares of the late vector."""
    everybody = server.maskers[0].roster.everybody
    for masker in server.maskers:
        boxes = tuple(
            server.masked[STEPS, sender].boxes[masker.roster.neighbours[sender].index(masker.place)]
            for sender in masker.roster.neighbours[masker.place]
        )
        questions = [Question(step, Asked.SEEDS, 1 << VICTIM) for step in range(1, STEPS)]
        if masker.place != VICTIM:
            questions.append(Question(STEPS, Asked.SHARES, everybody, boxes))
        for question in questions:
            refusal(lambda masker=masker, question=question: masker.answer(question))


def test_two_stories_unmask_nobody() -> None:
    """Every way to tell each of four bakeries its own story of who sent, tried out.

    A vector is lost when the server has as many shares as open its self-mask, and from either side
    the seed of each of its pairs.
    """
    maskers = agreed(4)
    roster = maskers[0].roster
    masked = [m.mask(np.zeros(1, np.uint64), step=1, participants=0b1111) for m in maskers]
    told = [_stories(write_masker(masker), masked) for masker in maskers]
    assert all(len(stories) > 2 for stories in told)
    for story in itertools.product(*told):
        for victim, near in enumerate(roster.neighbours):
            shares = sum(story[other][1] >> victim & 1 for other in near)
            seeds = all(
                (story[other][0] >> victim | story[victim][0] >> other) & 1 for other in near
            )
            assert shares < threshold(len(near)) or not seeds


def _stories(state: bytes, masked: list[Masked]) -> list[tuple[int, int]]:
    """All that a bakery can be brought to reveal: seeds of whom, and shares of whom."""
    found = [(0, 0)]
    for gone, sent in itertools.product(range(16), range(16)):
        masker = read_masker(state)
        near = masker.roster.near(masker.place, sent)
        boxes = tuple(
            masked[sender].boxes[masker.roster.neighbours[sender].index(masker.place)]
            for sender in near
        )
        try:
            masker.answer(Question(1, Asked.SEEDS, gone))
            masker.answer(Question(1, Asked.SHARES, sent, boxes))
        except SecureSumError:
            continue
        found.append((gone, sent))
    return found
