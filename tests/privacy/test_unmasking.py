"""What a bakery reveals of its neighbours: one secret of each at most."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glean.privacy.mask_messages import MaskedInput, SeedRequest, UnmaskRequest
from glean.privacy.secagg_client import SecAggClient, StepMemory
from tests.secagg_clients import (
    agreed,
    masked_by_all,
    nonces_for,
    opened_seed,
    refusal,
    restarted,
    shares_of,
    vectors,
)


@pytest.mark.parametrize("between", [restarted, lambda secagg_client: secagg_client])
def test_the_same_question_gets_the_same_answer(
    between: Callable[[SecAggClient], SecAggClient],
) -> None:
    """A message may be delivered twice, and the bakery's process may have been started anew."""
    secagg_clients = agreed(5)
    masked = masked_by_all(secagg_clients, vectors(5))
    first = between(secagg_clients[0])
    seeds = UnmaskRequest(1, SeedRequest.SEEDS, 0b00010)
    shares = shares_of(first, masked, 0b11101)
    for request in (seeds, shares):
        answer = first.unmask(request)
        first = between(first)
        assert first.unmask(request) == answer
    assert first.unmask(seeds).secrets == (secagg_clients[1].keys.seed(0, 1),)


@pytest.mark.parametrize("between", [restarted, lambda secagg_client: secagg_client])
def test_never_seed_and_share_of_the_same_neighbour(
    between: Callable[[SecAggClient], SecAggClient],
) -> None:
    """Both together would take both masks off; a restart doesn't make a bakery forget."""
    secagg_clients = agreed(5)
    masked = masked_by_all(secagg_clients, vectors(5))
    secagg_client = between(secagg_clients[0])
    secagg_client.unmask(UnmaskRequest(1, SeedRequest.SEEDS, 0b00010))
    secagg_client = between(secagg_client)
    said = refusal(lambda: secagg_client.unmask(shares_of(secagg_client, masked, 0b11111)))
    assert "contradicts an earlier one" in said
    secagg_client.unmask(shares_of(secagg_client, masked, 0b11101))
    secagg_client = between(secagg_client)
    for request in (
        UnmaskRequest(1, SeedRequest.SEEDS, 0b00100),
        shares_of(secagg_client, masked, 0b11111),
        shares_of(secagg_client, masked, 0b01101),
    ):
        assert "Nothing is revealed" in refusal(
            lambda request=request: secagg_client.unmask(request)
        )


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(SeedRequest), st.integers(0, 63)), max_size=8))
def test_no_sequence_of_requests_gets_both(requests: list[tuple[SeedRequest, int]]) -> None:
    """Whatever a server asks in whatever order: one kind of secret of each, few seeds, no own."""
    secagg_clients = agreed(6)
    masked = masked_by_all(secagg_clients, vectors(6, length=1))
    secagg_client, told = secagg_clients[2], {SeedRequest.SEEDS: 0, SeedRequest.SHARES: 0}
    for asked, bitmap in requests:
        shared = asked is SeedRequest.SHARES
        nonces = nonces_for(secagg_client, masked, bitmap & 0b111111) if shared else ()
        try:
            secagg_client.unmask(UnmaskRequest(1, asked, bitmap, nonces))
        except Exception as error:  # noqa: BLE001
            assert type(error).__name__ == "SecureSumError"  # noqa: PT017
        else:
            told[asked] |= bitmap
        secagg_client = restarted(secagg_client)
    assert not told[SeedRequest.SEEDS] & told[SeedRequest.SHARES]
    assert told[SeedRequest.SEEDS].bit_count() <= 2
    assert not told[SeedRequest.SEEDS] >> 2 & 1


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (
            UnmaskRequest(1, SeedRequest.SEEDS, 0b00010),
            "about step 1; wanted one about step 2",
        ),
        (UnmaskRequest(3, SeedRequest.SEEDS, 0b00010), "about step 3"),
        (
            UnmaskRequest(2, SeedRequest.SEEDS, 0b00001),
            "doesn't count 'bakery 000' among the senders",
        ),
        (
            UnmaskRequest(2, SeedRequest.SEEDS, 0b01110),
            "found 2 contributors, 1 of them neighbours",
        ),
        (
            UnmaskRequest(2, SeedRequest.SEEDS, 0b00110),
            "wanted 3 or more with 3 or more of 4 neighbours",
        ),
        (UnmaskRequest(2, SeedRequest.SEEDS, 0b100000), "didn't take part"),
        (
            UnmaskRequest(2, SeedRequest.SHARES, 0b11110),
            "doesn't count 'bakery 000' among the senders",
        ),
        (UnmaskRequest(2, SeedRequest.SHARES, 0b00011), "found 2 contributors"),
        (UnmaskRequest(2, SeedRequest.SHARES, 0b11111), "0 nonces came of 4 neighbours"),
    ],
)
def test_a_bakery_refuses_to_reveal(asked: UnmaskRequest, words: str) -> None:
    """About another step, as one that is gone, or so that too few are left to hide among."""
    secagg_clients = agreed(5)
    for step in (1, 2):
        masked_by_all(secagg_clients, vectors(5), step=step)
    memory = secagg_clients[0].memory
    said = refusal(lambda: secagg_clients[0].unmask(asked))
    assert words in said
    assert "revealed" in said
    assert secagg_clients[0].memory == memory


def test_who_was_told_of_other_participants_gives_no_share() -> None:
    """A server that makes bakeries mask with different ones can't open their self-masks."""
    secagg_clients = agreed(6)
    vector = np.zeros(1, np.uint64)
    masked = [m.mask(vector, step=1, participants=0b111111) for m in secagg_clients[:5]]
    secagg_clients[5].mask(vector, step=1, participants=0b111101)
    request = shares_of(secagg_clients[5], masked, 0b011101)
    given = secagg_clients[5].unmask(replace(request, bitmap=0b111101)).secrets
    used = {one.place: own_tokens(one, masked[one.place])[-1] for one in secagg_clients[:5]}
    assert not {*given} & {*used.values()}
    assert used[0] == own_token_of(secagg_clients[5], masked[0], sender=0, participants=0b111111)


def test_a_share_of_another_step_is_not_opened() -> None:
    """Or a server could collect the shares of an old step in a new one."""
    secagg_clients = agreed(3)
    old = masked_by_all(secagg_clients, vectors(3), step=1)
    used = [own_tokens(one, sent)[0] for one, sent in zip(secagg_clients, old, strict=True)]
    masked_by_all(secagg_clients, vectors(3), step=2)
    given = secagg_clients[0].unmask(shares_of(secagg_clients[0], old, 0b111, step=2)).secrets
    assert not {*given} & {*used}
    assert opened_seed(old[1], {1: used[1], 2: given[1]}, needed=2) is None


def test_a_token_opens_the_vector_that_its_nonce_came_with() -> None:
    """Any two of three open a self-mask, and with tokens of another nonce nobody does."""
    secagg_clients = agreed(4)
    masked = masked_by_all(secagg_clients, vectors(4))
    tokens = dict(enumerate(own_tokens(secagg_clients[3], masked[3]), start=1))
    seeds = {
        opened_seed(masked[3], {number: tokens[number] for number in numbers}, needed=2)
        for numbers in itertools.combinations(tokens, 2)
    }
    assert len(seeds) == 1
    assert None not in seeds
    elsewhere = replace(masked[3], nonce=bytes(16))
    others = dict(enumerate(own_tokens(secagg_clients[3], elsewhere), start=1))
    assert not {*others.values()} & {*tokens.values()}
    assert opened_seed(masked[3], {1: tokens[1], 2: others[2]}, needed=2) is None


def own_tokens(sender: SecAggClient, sent: MaskedInput) -> list[bytes]:
    """The tokens that its sender has of a vector, after it was masked, by neighbour."""
    near = sender.cohort.neighbours_in(sender.place, sender.memory.participants)
    bound = sender.bound
    return sender.keys.own_tokens(near, step=sent.step, nonce=sent.nonce, bound=bound)


def own_token_of(
    holder: SecAggClient, sent: MaskedInput, *, sender: int, participants: int
) -> bytes:
    """What a holder would give of a vector if it had been told of these participants."""
    again = agreed_again(holder, sent.step, participants)
    return again.keys.tokens_of({sender: sent.nonce}, step=sent.step, bound=again.bound)[0]


def agreed_again(holder: SecAggClient, step: int, participants: int) -> SecAggClient:
    memory = StepMemory(step, participants)
    return SecAggClient(holder.key_pair, holder.cohort, memory=memory)
