"""Masks are bound to what each bakery was told: other words, other masks."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from glean.errors import RefusalError, SecureSumError
from glean.privacy.mask_messages import SeedRequest, UnmaskRequest
from glean.privacy.mask_seeds import Words
from glean.privacy.secagg_client import SecAggClient
from glean.privacy.secagg_round import SecAggRound
from glean.privacy.step_context import StepContext
from tests.secagg_clients import (
    agreed,
    masked_by_all,
    plain_sum,
    restarted,
    shares_of,
    unmasked,
    vectors,
)

ALL = 0b11111


def told(words: str, *, sets: tuple[int, ...] = (), at_least: int = 0) -> StepContext:
    return StepContext(hashlib.sha256(words.encode()).digest(), sets, at_least)


def summed(secagg_clients: list[SecAggClient], summands: list[Words], said: list[str]) -> Words:
    total = SecAggRound(secagg_clients[0].cohort, step=1, participants=ALL, length=5)
    for one, vector, words in zip(secagg_clients, summands, said, strict=True):
        masked = one.mask(vector, step=1, participants=ALL, context=told(words))
        total.take_input(one.key_pair.bakery, masked.to_bytes())
    return unmasked(total, secagg_clients)


def test_who_is_told_the_same_sums() -> None:
    """The masks cancel, whatever was told."""
    summands = vectors(5)
    found = summed(agreed(5), summands, ["the same"] * 5)
    np.testing.assert_array_equal(found, plain_sum(summands))


@pytest.mark.parametrize("odd", range(5))
def test_one_that_is_told_otherwise_spoils_the_sum(odd: int) -> None:
    """Nobody opens a share of it, and it opens nobody's."""
    said = ["the same"] * 5
    said[odd] = "something else"
    with pytest.raises(SecureSumError, match="shares"):
        summed(agreed(5), vectors(5), said)


def test_pairs_that_were_told_different_things_leave_noise() -> None:
    """Even with every self-mask known, what is left of a bakery's vector looks like chance."""
    secagg_clients = agreed(5)
    digests = [told("to the others").digest] * 5
    digests[2] = told("to the victim").digest
    seeds = {
        (one.place, other): one.keys.seed(other, 1, digests[one.place])
        for one in secagg_clients
        for other in range(5)
        if other != one.place
    }
    apart = {pair for pair in seeds if 2 in pair}
    assert all((seeds[a, b] == seeds[b, a]) is ((a, b) not in apart) for a, b in seeds if a < b)


def test_a_seed_of_a_pair_is_of_what_was_told() -> None:
    """Called gone to the others, a bakery isn't laid open by what they give away."""
    secagg_clients = agreed(5)
    for one in secagg_clients:
        words = "to the victim" if one.place == 2 else "to the others"
        one.mask(np.zeros(2, np.uint64), step=1, participants=ALL, context=told(words))
    request = UnmaskRequest(1, SeedRequest.SEEDS, 0b00100)
    given = {one.unmask(request).secrets[0] for one in secagg_clients if one.place != 2}
    victim = secagg_clients[2]
    used = {victim.keys.seed(k, 1, victim.memory.context.digest) for k in (0, 1, 3, 4)}
    assert not given & used


def test_too_few_contributors_are_refused_before_and_after_masking() -> None:
    """Of two parts the second has three: not enough for a floor of four, nor once one is gone."""
    secagg_client = agreed(5)[0]
    vector = np.zeros(2, np.uint64)
    few = told("", sets=(ALL, 0b00111), at_least=4)
    with pytest.raises(RefusalError, match="found 3 contributors that count"):
        secagg_client.mask(vector, step=1, participants=ALL, context=few)
    enough = told("", sets=(ALL, 0b01111), at_least=4)
    secagg_client.mask(vector, step=1, participants=ALL, context=enough)
    with pytest.raises(RefusalError, match=r"too few|found 3 contributors"):
        secagg_client.unmask(UnmaskRequest(1, SeedRequest.SEEDS, 0b00010))
    secagg_client.unmask(UnmaskRequest(1, SeedRequest.SEEDS, 0b10000))


def test_what_was_told_is_remembered_over_a_restart() -> None:
    """Else a bakery that was restarted would open its shares of another sum."""
    secagg_clients = agreed(3)
    context = told("something", sets=(0b111, 0b011), at_least=2)
    masked = [
        one.mask(np.zeros(2, np.uint64), step=1, participants=0b111, context=context)
        for one in secagg_clients
    ]
    again = restarted(secagg_clients[0])
    assert again.memory.context == context
    request = shares_of(secagg_clients[0], masked, 0b111)
    assert again.unmask(request) == secagg_clients[0].unmask(request)


def test_nonces_are_drawn() -> None:
    """Put back to an old state a bakery has other tokens of its vector: none opens both."""
    secagg_client = agreed(3)[0]
    again = restarted(secagg_client)
    masked = [
        client.mask(np.zeros(2, np.uint64), step=1, participants=0b111)
        for client in (secagg_client, again)
    ]
    tokens = {
        token
        for client, sent in zip((secagg_client, again), masked, strict=True)
        for token in client.keys.own_tokens(
            (1, 2), step=1, nonce=sent.nonce, bound=secagg_client.bound
        )
    }
    assert len(tokens) == 4


def test_of_a_step_that_was_masked_twice_one_vector_is_opened() -> None:
    """By a bakery whose state was put back: the others have opened shares of its first vector."""
    secagg_clients = agreed(3)
    again = restarted(secagg_clients[0])
    first = masked_by_all(secagg_clients, vectors(3))
    second = [again.mask(vectors(1)[0], step=1, participants=0b111), *first[1:]]
    for holder in secagg_clients[1:]:
        holder.unmask(shares_of(holder, first, 0b111))
        for one in (holder, restarted(holder)):
            with pytest.raises(SecureSumError, match="other vectors of the same step"):
                one.unmask(shares_of(one, second, 0b111))
        holder.unmask(shares_of(holder, first, 0b111))


def test_too_little_noise_is_refused_when_a_sum_is_opened() -> None:
    """Four of five gave noise that counts and is relied on; without one of them nothing opens."""
    secagg_client = agreed(5)[0]
    context = replace(told("noise"), noised=0b01111, noise_from=4)
    secagg_client.mask(np.zeros(2, np.uint64), step=1, participants=ALL, context=context)
    again = restarted(secagg_client)
    assert again.memory.context == context
    for one in (secagg_client, again):
        with pytest.raises(RefusalError, match="found 3 contributors whose noise counts"):
            one.unmask(UnmaskRequest(1, SeedRequest.SEEDS, 0b00010))
    again.unmask(UnmaskRequest(1, SeedRequest.SEEDS, 0b10000))
