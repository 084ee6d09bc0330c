"""What a server can't learn: earlier steps, late vectors of one that is gone, by inconsistency."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from glean.errors import SecureSumError
from glean.privacy.mask_messages import MaskedInput, SeedRequest, UnmaskReply, UnmaskRequest
from glean.privacy.mask_seeds import (
    Words,
    mask_stream,
    new_self_seed,
    pairwise_seed,
    self_key,
)
from glean.privacy.mask_serialization import read_client, write_client
from glean.privacy.secagg_client import SecAggClient
from glean.privacy.secagg_round import SecAggRound
from tests.secagg_clients import agreed, opened_seed, plain_sum, refusal, shares_of, vectors

COUNT, WORDS, STEPS, VICTIM = 6, 4096, 10, 2
ALMOST_NEVER = 1e-7


@dataclass
class Server:
    """A curious server: it does its work, and keeps all that it ever sees."""

    secagg_clients: list[SecAggClient]
    masked: dict[tuple[int, int], MaskedInput] = field(default_factory=dict)
    answers: dict[tuple[int, int, SeedRequest], UnmaskReply] = field(default_factory=dict)
    asked: dict[tuple[int, SeedRequest], int] = field(default_factory=dict)

    def step(self, summands: list[Words], step: int, *, silent: tuple[int, ...] = ()) -> Words:
        cohort = self.secagg_clients[0].cohort
        total = SecAggRound(cohort, step=step, participants=cohort.everybody, length=WORDS)
        for secagg_client, vector in zip(self.secagg_clients, summands, strict=True):
            sent = secagg_client.mask(vector, step=step, participants=cohort.everybody)
            self.masked[step, secagg_client.place] = sent  # a late one arrives too
            if secagg_client.place not in silent:
                total.take_input(secagg_client.key_pair.bakery, sent.to_bytes())
        while requests := total.unmask_requests():
            for bakery, request in requests.items():
                place = cohort.place(bakery)
                answer = self.secagg_clients[place].unmask(request)
                self.answers[step, place, request.asked] = answer
                self.asked[step, request.asked] = request.bitmap
                total.take_reply(bakery, answer.to_bytes())
        return total.result()

    def shares(self, step: int, sender: int) -> dict[int, bytes]:
        """All shares of a sender's self-mask, by their number."""
        cohort, found = self.secagg_clients[0].cohort, {}
        for (at, holder, asked), answer in self.answers.items():
            near = cohort.neighbours_in(holder, self.asked[at, asked])
            if (at, asked) == (step, SeedRequest.SHARES) and sender in near:
                number = cohort.neighbours[sender].index(holder) + 1
                found[number] = answer.secrets[near.index(sender)]
        return found

    def self_seed(self, step: int, sender: int) -> int | None:
        sent = self.masked[step, sender]
        cohort = self.secagg_clients[0].cohort
        needed = cohort.threshold(len(cohort.neighbours[sender]))
        return opened_seed(sent, self.shares(step, sender), needed=needed)

    def keys(self) -> set[bytes]:
        """Every key of a mask that it has, or gets by deriving from what it has."""
        revealed = {secret for answer in self.answers.values() for secret in answer.secrets}
        revealed |= {sent.nonce for sent in self.masked.values()}
        revealed |= {sent.commitment for sent in self.masked.values()}
        revealed |= {one for sent in self.masked.values() for one in sent.corrections}
        opened = [self.self_seed(*place) for place in self.masked]
        derived = {pairwise_seed(key, step) for key in revealed for step in range(1, STEPS + 1)}
        return revealed | derived | {self_key(seed) for seed in opened if seed is not None}


def p_uniform(words: Words) -> float:
    counts: npt.NDArray[np.int64] = np.bincount(
        np.frombuffer(words.tobytes(), np.uint8), minlength=256
    )
    return float(stats.chisquare(counts).pvalue)


def unmasked_by(
    server: Server, step: int, own: int, known: set[bytes], *, secagg_client: SecAggClient
) -> tuple[Words, int]:
    """Take off all masks of the victim that the server knows; the rest, and how many it lacks."""
    rest, lacking = server.masked[step, VICTIM].vector.copy(), 0
    for other in secagg_client.cohort.neighbours[VICTIM]:
        key = secagg_client.keys.seed(other, step)
        if key in known:
            words = mask_stream(key, WORDS)
            rest = rest - words if other > VICTIM else rest + words
        else:
            lacking += 1
    if self_key(own) in known:
        return rest - mask_stream(self_key(own), WORDS), lacking
    return rest, lacking + 1


def test_a_bakery_gone_in_step_10_shows_neither_steps_1_to_9_nor_its_late_vector(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With all that the server ever saw, each of the ten vectors is covered by an unknown mask."""
    secagg_clients = agreed(COUNT)
    server, own = Server(secagg_clients), {}
    small = np.arange(WORDS, dtype=np.uint64) % np.uint64(7)
    others = vectors(COUNT, length=WORDS)
    summands = [small if place == VICTIM else others[place] for place in range(COUNT)]
    for step in range(1, STEPS + 1):
        drawn = _watched(monkeypatch)
        silent = (VICTIM,) if step == STEPS else ()
        result = server.step(summands, step, silent=silent)
        own[step] = drawn[VICTIM]
        left = [vector for place, vector in enumerate(summands) if place not in silent]
        np.testing.assert_array_equal(result, plain_sum(left))
    _stubborn(server)
    known, victim = server.keys(), secagg_clients[VICTIM]
    assert p_uniform(small) < ALMOST_NEVER
    for step in range(1, STEPS + 1):
        late = step == STEPS
        rest, lacking = unmasked_by(server, step, own[step], known, secagg_client=victim)
        assert (self_key(own[step]) in known) is not late
        assert lacking == (1 if late else COUNT - 1)
        assert p_uniform(rest) > ALMOST_NEVER
    assert server.self_seed(STEPS, VICTIM) is None
    assert not {secagg_client.key_pair.private_key for secagg_client in secagg_clients} & known
    assert (
        not {
            key[:32]
            for secagg_client in secagg_clients
            for key in secagg_client.keys.known.values()
        }
        & known
    )
    assert (
        not {
            key[32:]
            for secagg_client in secagg_clients
            for key in secagg_client.keys.known.values()
        }
        & known
    )
    everything = known | {victim.keys.seed(other, 1) for other in range(COUNT) if other != VICTIM}
    rest, lacking = unmasked_by(server, 1, own[1], everything, secagg_client=victim)
    assert lacking == 0
    np.testing.assert_array_equal(rest, small)  # so the test would have noticed


def _watched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """See which self-mask seeds are drawn in a step, in order of places."""
    drawn: list[int] = []

    def remembered() -> int:
        drawn.append(new_self_seed())
        return drawn[-1]

    monkeypatch.setattr("glean.privacy.secagg_client.new_self_seed", remembered)
    return drawn


def _stubborn(server: Server) -> None:
    """Ask everybody for the missing halves: old steps' seeds, and shares of the late vector."""
    everybody = server.secagg_clients[0].cohort.everybody
    for secagg_client in server.secagg_clients:
        late = [server.masked[STEPS, place] for place in range(COUNT)]
        requests = [UnmaskRequest(step, SeedRequest.SEEDS, 1 << VICTIM) for step in range(1, STEPS)]
        if secagg_client.place != VICTIM:
            requests.append(shares_of(secagg_client, late, everybody, step=STEPS))
        for request in requests:
            refusal(
                lambda secagg_client=secagg_client, request=request: secagg_client.unmask(request)
            )


def test_two_tellings_unmask_nobody() -> None:
    """Every way to tell each of four bakeries another set of senders, tried out.

    A vector is lost when the server has as many shares as open its self-mask, and from either side
    the seed of each of its pairs.
    """
    secagg_clients = agreed(4)
    cohort = secagg_clients[0].cohort
    masked = [m.mask(np.zeros(1, np.uint64), step=1, participants=0b1111) for m in secagg_clients]
    told = [_tellings(write_client(secagg_client), masked) for secagg_client in secagg_clients]
    assert all(len(tellings) > 2 for tellings in told)
    for telling in itertools.product(*told):
        for victim, near in enumerate(cohort.neighbours):
            shares = sum(telling[other][1] >> victim & 1 for other in near)
            seeds = all(
                (telling[other][0] >> victim | telling[victim][0] >> other) & 1 for other in near
            )
            assert shares < cohort.threshold(len(near)) or not seeds


def _tellings(state: bytes, masked: list[MaskedInput]) -> list[tuple[int, int]]:
    """All that a bakery can be brought to reveal: seeds of whom, and shares of whom."""
    found = [(0, 0)]
    for gone, sent in itertools.product(range(16), range(16)):
        secagg_client = read_client(state)
        try:
            secagg_client.unmask(UnmaskRequest(1, SeedRequest.SEEDS, gone))
            secagg_client.unmask(shares_of(secagg_client, masked, sent))
        except SecureSumError:
            continue
        found.append((gone, sent))
    return found
