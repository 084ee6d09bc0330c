"""A bakery's masks cancel and look like noise; of each neighbour it reveals one secret at most."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from glean.privacy.mask_messages import NO_SHARE, MaskedInput, SeedRequest, UnmaskRequest
from glean.privacy.mask_seeds import Words, mask_stream, new_self_seed, pairwise_seed, self_key
from glean.privacy.mask_serialization import read_client, write_client
from glean.privacy.secagg_client import SecAggClient
from tests.secagg_clients import agreed, plain_sum, refusal, vectors

ALMOST_NEVER = 1e-7
"""A test that fails by chance does so about once in ten million times."""


def masked_by_all(
    secagg_clients: list[SecAggClient], summands: list[Words], *, step: int = 1
) -> list[MaskedInput]:
    everybody = secagg_clients[0].cohort.everybody
    return [
        secagg_client.mask(vector, step=step, participants=everybody)
        for secagg_client, vector in zip(secagg_clients, summands, strict=True)
    ]


def encrypted_shares_for(
    holder: SecAggClient, masked: list[MaskedInput], senders: int
) -> tuple[bytes, ...]:
    """What the server would hand to a holder."""
    cohort = holder.cohort
    return tuple(
        masked[sender].encrypted_shares[cohort.neighbours[sender].index(holder.place)]
        for sender in cohort.neighbours_in(holder.place, senders)
    )


def shares_of(
    holder: SecAggClient, masked: list[MaskedInput], senders: int, *, step: int = 1
) -> UnmaskRequest:
    return UnmaskRequest(
        step, SeedRequest.SHARES, senders, encrypted_shares_for(holder, masked, senders)
    )


@pytest.mark.parametrize("count", [3, 19, 20, 45])
def test_masks_between_bakeries_cancel(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the self-masks the masked vectors add up to the plain sum."""
    seeds: list[int] = []

    def remembered() -> int:
        seeds.append(new_self_seed())
        return seeds[-1]

    monkeypatch.setattr("glean.privacy.secagg_client.new_self_seed", remembered)
    secagg_clients, summands = agreed(count), vectors(count)
    masked = masked_by_all(secagg_clients, summands)
    own = [mask_stream(self_key(seed), len(summands[0])) for seed in seeds]
    assert len(set(seeds)) == count
    total = plain_sum([one.vector for one in masked]) - plain_sum(own)
    np.testing.assert_array_equal(total, plain_sum(summands))


def byte_counts(words: Words) -> npt.NDArray[np.int64]:
    return np.bincount(np.frombuffer(words.tobytes(), np.uint8), minlength=256)


def test_each_masked_vector_is_uniform_over_the_ring() -> None:
    """Every byte of it is as likely as any other, though what is masked is nearly constant."""
    secagg_clients = agreed(5)
    plain = np.full(8192, 3, np.uint64)
    assert stats.chisquare(byte_counts(plain)).pvalue < ALMOST_NEVER
    for step in (1, 2, 3):
        for masked in masked_by_all(secagg_clients, [plain] * 5, step=step):
            assert stats.chisquare(byte_counts(masked.vector)).pvalue > ALMOST_NEVER


def test_what_is_masked_does_not_show() -> None:
    """Two very different bakeries' masked words are drawn from one distribution."""
    secagg_clients = agreed(3)
    small, large = np.zeros(8192, np.uint64), np.arange(8192, dtype=np.uint64) << np.uint64(40)
    assert stats.ks_2samp(small, large).pvalue < ALMOST_NEVER
    one, other = (
        secagg_clients[0].mask(vector, step=step, participants=0b111).vector
        for step, vector in ((1, small), (2, large))
    )
    assert stats.ks_2samp(one, other).pvalue > ALMOST_NEVER
    table = np.stack([byte_counts(one), byte_counts(other)])
    assert stats.chi2_contingency(table).pvalue > ALMOST_NEVER


def test_no_mask_is_used_twice() -> None:
    """The same vector looks different in every step and in every epoch."""
    secagg_clients, plain = agreed(3), np.zeros(100, np.uint64)
    seen = [m.mask(plain, step=1, participants=0b111).vector.tobytes() for m in secagg_clients]
    seen += [m.mask(plain, step=2, participants=0b111).vector.tobytes() for m in secagg_clients]
    seen += [m.mask(plain, step=1, participants=0b111).vector.tobytes() for m in agreed(3)]
    assert len(set(seen)) == len(seen)
    seeds = {
        secagg_client.keys.seed(other, step)
        for secagg_client in secagg_clients[:1]
        for other in (1, 2)
        for step in (1, 2)
    }
    assert len(seeds) == 4


def test_a_step_seed_tells_nothing_of_the_next() -> None:
    """What a neighbour gives away is the end of a one-way street."""
    key = b"k" * 32
    assert pairwise_seed(key, 1) != pairwise_seed(key, 2)
    assert pairwise_seed(pairwise_seed(key, 1), 2) != pairwise_seed(key, 2)


@pytest.mark.parametrize(
    ("step", "participants", "words"),
    [
        (3, 0b11111, "found step 3 after step 3"),
        (2, 0b11111, "found step 2 after step 3"),
        (1 << 64, 0b11111, "wanted a greater one"),
        (4, 0b11110, "don't include 'bakery 000'"),
        (4, 0b111111, "aren't all in the cohort"),
        (4, 0b00011, "found 2 bakeries"),
        (4, 0b00111, "wanted 3 or more with 3 or more of 4 neighbours"),
        (4, 0, "don't include"),
    ],
)
def test_a_bakery_refuses_to_mask(step: int, participants: int, words: str) -> None:
    """Twice in a step, without itself, or among too few; the next good step is still open."""
    secagg_client = agreed(5)[0]
    vector = np.zeros(2, np.uint64)
    secagg_client.mask(vector, step=3, participants=0b11111)
    said = refusal(lambda: secagg_client.mask(vector, step=step, participants=participants))
    assert words in said
    assert "Nothing is masked" in said
    secagg_client.mask(vector, step=4, participants=0b11111)


def test_a_bakery_needs_a_majority_of_its_neighbours_in_a_large_federation() -> None:
    """Many participants don't help if they are far away on the graph."""
    secagg_client = agreed(45)[0]
    cohort = secagg_client.cohort
    few = sum(1 << other for other in cohort.neighbours[0][:14])
    far = cohort.everybody & ~sum(1 << place for place in cohort.neighbours[0])
    vector = np.zeros(2, np.uint64)
    said = refusal(lambda: secagg_client.mask(vector, step=1, participants=far | few))
    assert "14 of them neighbours" in said
    assert cohort.isolated(far | few)[0] == "bakery 000"
    assert not cohort.isolated(cohort.everybody)
    one_more = 1 << cohort.neighbours[0][14]
    secagg_client.mask(vector, step=1, participants=far | few | one_more)


def restarted(secagg_client: SecAggClient) -> SecAggClient:
    return read_client(write_client(secagg_client))


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


def test_a_saved_masker_goes_on_where_it_was() -> None:
    """It has the same keys, and still refuses its old step."""
    secagg_clients = agreed(45)
    secagg_clients[3].mask(
        np.zeros(2, np.uint64), step=8, participants=secagg_clients[3].cohort.everybody
    )
    again = restarted(secagg_clients[3])
    assert again.memory == secagg_clients[3].memory
    assert again.keys.known == secagg_clients[3].keys.known
    assert "after step 8" in refusal(
        lambda: again.mask(np.zeros(2, np.uint64), step=8, participants=again.cohort.everybody)
    )


def test_masking_takes_about_a_millisecond() -> None:
    """At 40 bakeries and 64 kB; the bound leaves a busy machine room."""
    secagg_clients, vector = agreed(40), np.zeros(8192, np.uint64)
    everybody = secagg_clients[0].cohort.everybody
    secagg_clients[0].mask(vector, step=1, participants=everybody)
    took = []
    for step in range(2, 30):
        start = time.process_time()
        secagg_clients[0].mask(vector, step=step, participants=everybody)
        took.append(time.process_time() - start)
    assert min(took) < 0.005
