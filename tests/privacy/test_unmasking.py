"""What a bakery reveals of its neighbours: one secret of each at most."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glean.privacy.mask_messages import NO_SHARE, SeedRequest, UnmaskRequest
from glean.privacy.secagg_client import SecAggClient
from tests.secagg_clients import (
    agreed,
    encrypted_shares_for,
    masked_by_all,
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
        encrypted_shares = (
            encrypted_shares_for(secagg_client, masked, bitmap)
            if asked is SeedRequest.SHARES
            else ()
        )
        try:
            secagg_client.unmask(UnmaskRequest(1, asked, bitmap, encrypted_shares))
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
        (UnmaskRequest(2, SeedRequest.SEEDS, 0b01110), "found 2 bakeries, 1 of them neighbours"),
        (
            UnmaskRequest(2, SeedRequest.SEEDS, 0b00110),
            "wanted 3 or more with 3 or more of 4 neighbours",
        ),
        (UnmaskRequest(2, SeedRequest.SEEDS, 0b100000), "didn't take part"),
        (
            UnmaskRequest(2, SeedRequest.SHARES, 0b11110),
            "doesn't count 'bakery 000' among the senders",
        ),
        (UnmaskRequest(2, SeedRequest.SHARES, 0b00011), "found 2 bakeries"),
        (UnmaskRequest(2, SeedRequest.SHARES, 0b11111), "0 shares came of 4 neighbours"),
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
    everybody = [m.mask(vector, step=1, participants=0b111111) for m in secagg_clients[:5]]
    secagg_clients[5].mask(vector, step=1, participants=0b111101)
    box = everybody[0].encrypted_shares[-1]
    request = UnmaskRequest(
        1,
        SeedRequest.SHARES,
        0b111101,
        (box, *encrypted_shares_for(secagg_clients[5], everybody, 0b11100)),
    )
    assert secagg_clients[5].unmask(request).secrets == (NO_SHARE,) * 4


def test_a_share_of_another_step_is_not_opened() -> None:
    """Or a server could collect the shares of an old step in a new one."""
    secagg_clients = agreed(3)
    old = masked_by_all(secagg_clients, vectors(3), step=1)
    new = masked_by_all(secagg_clients, vectors(3), step=2)
    answer = secagg_clients[0].unmask(
        shares_of(secagg_clients[0], [old[0], old[1], new[2]], 0b111, step=2)
    )
    assert answer.secrets[0] == NO_SHARE
    assert answer.secrets[1] != NO_SHARE
