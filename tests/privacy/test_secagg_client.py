"""A bakery's masks cancel and look like noise, and it masks with nobody unknown."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from glean.privacy.mask_seeds import Words, mask_stream, new_self_seed, pairwise_seed, self_key
from tests.secagg_clients import agreed, masked_by_all, plain_sum, refusal, restarted, vectors

ALMOST_NEVER = 1e-7
"""A test that fails by chance does so about once in ten million times."""


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
        (4, 0b00011, "found 2 contributors"),
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


def test_a_saved_client_goes_on_where_it_was() -> None:
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
