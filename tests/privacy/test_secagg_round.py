"""The sum of masked vectors is the plain sum, whoever vanishes when, or there is a clear error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glean.errors import SecureSumError
from glean.privacy.mask_messages import (
    MaskedInput,
    SeedRequest,
    UnmaskReply,
    UnmaskRequest,
)
from glean.privacy.secagg_client import SecAggClient
from glean.privacy.secagg_round import SecAggRound
from tests.secagg_clients import agreed, masked_step, plain_sum, refusal, unmasked, vectors


@pytest.mark.parametrize("count", [3, 4, 7, 19, 20, 21, 45])
def test_the_sum_is_the_plain_sum(count: int) -> None:
    """Modulo 2**64, in one exchange of requests, in several steps with the same keys."""
    secagg_clients = agreed(count)
    for step in (1, 2, 5):
        summands = vectors(count, seed=step)
        total = masked_step(secagg_clients, summands, step=step)
        np.testing.assert_array_equal(unmasked(total, secagg_clients), plain_sum(summands))
        assert len(total.counted) == count


@pytest.mark.parametrize("words", [1, 2, 3, 1000])
def test_vectors_may_have_any_length(words: int) -> None:
    """The stream cipher's blocks are two words long."""
    secagg_clients, summands = agreed(3), vectors(3, length=words)
    result = unmasked(masked_step(secagg_clients, summands), secagg_clients)
    np.testing.assert_array_equal(result, plain_sum(summands))
    assert result.dtype == np.uint64


@pytest.mark.parametrize("count", [4, 5, 6, 7, 9, 13, 19, 41])
@pytest.mark.parametrize("phase", ["away", "silent", "mute", "after seeds", "both"])
def test_a_third_may_vanish_in_any_phase(count: int, phase: str) -> None:
    """Before they are asked, before they send, before they answer at all or for the last time."""
    secagg_clients, summands = agreed(count), vectors(count)
    third = range(count // 3)
    silent = {"silent": third, "both": third[::2], "after seeds": third[:1]}.get(phase, ())
    mute = {"mute": (third, 0), "both": (third[1::2], 0), "after seeds": (third[1:], 1)}
    places, times = mute.get(phase, ((), 0))
    total = masked_step(
        secagg_clients, summands, absent=third if phase == "away" else (), silent=silent
    )
    result = unmasked(total, secagg_clients, replying=dict.fromkeys(places, times))
    left = [
        vector
        for place, vector in enumerate(summands)
        if secagg_clients[place].key_pair.bakery in total.counted
    ]
    np.testing.assert_array_equal(result, plain_sum(left))
    lost = {"mute": 0, "after seeds": min(len(third), 1)}.get(phase, len(third))
    assert len(total.counted) == count - lost


@settings(max_examples=25)
@given(st.data())
def test_whoever_vanishes_when_the_sum_is_right(data: st.DataObject) -> None:
    """A run of steps in which up to a third go for good, each at a random moment of a step."""
    count = data.draw(st.sampled_from([4, 6, 9, 12, 19]))
    secagg_clients = agreed(count)
    leaving = data.draw(st.permutations(range(count)))[: count // 3]
    when = {place: data.draw(st.tuples(st.integers(1, 3), st.integers(-1, 2))) for place in leaving}
    absent: set[int] = set()
    for step in (1, 2, 3):
        now = {place: moment for place, (at, moment) in when.items() if at == step}
        summands = vectors(count, length=3, seed=step)
        silent = [place for place, moment in now.items() if moment == -1]
        total = masked_step(secagg_clients, summands, step=step, absent=absent, silent=silent)
        answering = {place: moment for place, moment in now.items() if moment >= 0}
        result = unmasked(total, secagg_clients, replying=answering)
        counted = [secagg_clients[0].cohort.place(bakery) for bakery in total.counted]
        np.testing.assert_array_equal(result, plain_sum([summands[place] for place in counted]))
        assert set(counted) >= set(range(count)) - absent - set(now)
        absent |= set(now)


@pytest.mark.parametrize("seed", range(2))
def test_a_large_federation_loses_a_third_over_its_steps(seed: int) -> None:
    """Of 45 bakeries three vanish in each of five steps, silent or mute; nobody else is lost."""
    secagg_clients, rng = agreed(45, seed=bytes([seed])), np.random.default_rng(seed)
    leaving = rng.permutation(45)[:15].tolist()
    for step in range(1, 6):
        absent, now = leaving[: 3 * step - 3], leaving[3 * step - 3 : 3 * step]
        summands = vectors(45, seed=step)
        total = masked_step(secagg_clients, summands, step=step, absent=absent, silent=now[:1])
        result = unmasked(total, secagg_clients, replying={now[1]: 0, now[2]: 1})
        counted = [secagg_clients[0].cohort.place(bakery) for bakery in total.counted]
        np.testing.assert_array_equal(result, plain_sum([summands[place] for place in counted]))
        assert set(counted) >= set(range(45)) - set(absent) - set(now)


def test_who_is_left_with_too_few_neighbours_is_left_out() -> None:
    """It would refuse to answer; its vector stays masked, and the others still get a sum."""
    secagg_clients, summands = agreed(45), vectors(45)
    silent = secagg_clients[7].cohort.neighbours[7][:14]
    total = masked_step(secagg_clients, summands, silent=silent)
    result = unmasked(total, secagg_clients)
    assert "bakery 007" not in total.counted
    counted = [secagg_clients[0].cohort.place(bakery) for bakery in total.counted]
    assert len(counted) >= 28
    np.testing.assert_array_equal(result, plain_sum([summands[place] for place in counted]))


def test_too_few_senders_are_an_error_that_says_what_comes_next() -> None:
    """Two would see each other's part."""
    secagg_clients = agreed(5)
    total = masked_step(secagg_clients, vectors(5), silent=[0, 1, 2])
    with pytest.raises(SecureSumError, match=r"found 0 of 5 contributors .*go on with those"):
        total.unmask_requests()
    total = masked_step(agreed(3), vectors(3), silent=[0])
    with pytest.raises(SecureSumError, match="found 0 of 3 contributors"):
        total.unmask_requests()


def test_too_few_answers_are_an_error_that_says_how_many() -> None:
    """One more than the threshold bears."""
    secagg_clients, summands = agreed(7), vectors(7)
    for step, mute, fails in ((1, [0, 1, 2], True), (2, [0, 1], False)):
        total = masked_step(secagg_clients, summands, step=step)
        if fails:
            with pytest.raises(
                SecureSumError, match=r"found \d of 6 shares of 'bakery 00.*wanted 4"
            ):
                unmasked(total, secagg_clients, replying=dict.fromkeys(mute, 0))
        else:
            unmasked(total, secagg_clients, replying=dict.fromkeys(mute, 0))


def test_the_next_step_succeeds_after_one_that_failed() -> None:
    """Bakeries don't mind a step without a result."""
    secagg_clients, summands = agreed(7), vectors(7)
    total = masked_step(secagg_clients, summands, step=1, silent=[0, 1, 2, 3, 4])
    refusal(total.unmask_requests)
    total = masked_step(secagg_clients, summands, step=2)
    np.testing.assert_array_equal(unmasked(total, secagg_clients), plain_sum(summands))


def answered(total: SecAggRound, secagg_clients: list[SecAggClient]) -> dict[str, UnmaskReply]:
    """Replies to one exchange of requests, not yet taken."""
    return {
        bakery: secagg_clients[total.cohort.place(bakery)].unmask(request)
        for bakery, request in total.unmask_requests().items()
    }


@pytest.mark.parametrize("wrong", [b"\0" * 16, b"\x7f" * 16, b"\xff" * 15 + b"\xfe", b"\xff" * 16])
def test_a_wrong_share_is_noticed_and_done_without(wrong: bytes) -> None:
    """Shares have a check; with enough others the sum is right all the same."""
    secagg_clients, summands = agreed(7), vectors(7)
    total = masked_step(secagg_clients, summands)
    for bakery, answer in answered(total, secagg_clients).items():
        spoilt = (wrong, *answer.secrets[1:]) if bakery == "bakery 003" else answer.secrets
        total.take_reply(bakery, replace(answer, secrets=spoilt).to_bytes())
    np.testing.assert_array_equal(total.result(), plain_sum(summands))


def test_too_many_wrong_shares_are_an_error() -> None:
    """Never a wrong sum."""
    secagg_clients, summands = agreed(5), vectors(5)
    total = masked_step(secagg_clients, summands)
    for bakery, answer in answered(total, secagg_clients).items():
        spoilt = (b"\1" * 16,) * 4 if bakery > "bakery 001" else answer.secrets
        total.take_reply(bakery, replace(answer, secrets=spoilt).to_bytes())
    with pytest.raises(SecureSumError, match="shares of 'bakery 000'; wanted 3 or more that fit"):
        total.result()


def test_vectors_that_do_not_fit_are_refused_and_the_others_go_on() -> None:
    """Of another step, another length, with shares missing, twice, from a stranger, or too late."""
    secagg_clients, summands = agreed(4), vectors(4)
    everybody = secagg_clients[0].cohort.everybody
    masked = [
        secagg_client.mask(vector, step=2, participants=everybody)
        for secagg_client, vector in zip(secagg_clients, summands, strict=True)
    ]
    total = SecAggRound(secagg_clients[0].cohort, step=2, participants=0b0111 | 0b1000, length=5)
    first = masked[0]
    for wrong in (
        replace(first, step=1),
        replace(first, vector=first.vector[1:]),
        replace(first, corrections=first.corrections[1:]),
    ):
        said = refusal(lambda wrong=wrong: total.take_input("bakery 000", wrong.to_bytes()))
        assert "of 'bakery 000'; wanted (2, 5, 2)" in said
    assert "no key" in refusal(lambda: total.take_input("Zopf", first.to_bytes()))
    for secagg_client, one in zip(secagg_clients[:3], masked[:3], strict=True):
        total.take_input(secagg_client.key_pair.bakery, one.to_bytes())
    assert "second or late" in refusal(lambda: total.take_input("bakery 000", first.to_bytes()))
    result = unmasked(total, secagg_clients)
    assert "second or late" in refusal(lambda: total.take_input("bakery 003", masked[3].to_bytes()))
    np.testing.assert_array_equal(result, plain_sum(summands[:3]))
    part = SecAggRound(secagg_clients[0].cohort, step=2, participants=0b0111, length=5)
    assert "wasn't asked" in refusal(lambda: part.take_input("bakery 003", masked[3].to_bytes()))


def test_answers_that_do_not_fit_are_refused_and_count_as_none() -> None:
    """Of another step or kind, too short, twice, or from one that wasn't asked."""
    secagg_clients, summands = agreed(7), vectors(7)
    total = masked_step(secagg_clients, summands, silent=[6])
    assert "no open request" in refusal(
        lambda: total.take_reply("bakery 000", UnmaskReply(1, SeedRequest.SEEDS, ()).to_bytes())
    )
    answers = answered(total, secagg_clients)
    first = answers["bakery 000"]
    assert first.asked is SeedRequest.SEEDS
    for wrong in (
        replace(first, step=2),
        UnmaskReply(1, SeedRequest.SHARES, (b"x" * 16,)),
        replace(first, secrets=()),
        replace(first, secrets=first.secrets * 2),
    ):
        refusal(lambda wrong=wrong: total.take_reply("bakery 000", wrong.to_bytes()))
    refusal(lambda: total.take_reply("bakery 006", first.to_bytes()))
    for bakery, answer in answers.items():
        if bakery != "bakery 000":
            total.take_reply(bakery, answer.to_bytes())
    refusal(lambda: total.take_reply("bakery 001", answers["bakery 001"].to_bytes()))
    np.testing.assert_array_equal(unmasked(total, secagg_clients), plain_sum(summands[1:6]))


@settings(max_examples=60)
@given(st.data())
def test_hostile_bytes_never_crash_the_server(data: st.DataObject) -> None:
    """Spoilt vectors and answers end in a sum or in a Glean error, nothing else."""
    secagg_clients, summands = agreed(4), vectors(4, length=2)
    everybody = secagg_clients[0].cohort.everybody
    total = SecAggRound(secagg_clients[0].cohort, step=1, participants=everybody, length=2)

    def spoilt(content: bytes) -> bytes:
        changed = bytearray(content)
        for _ in range(data.draw(st.integers(0, 2))):
            changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
        return bytes(changed)

    try:
        for secagg_client, vector in zip(secagg_clients, summands, strict=True):
            masked = secagg_client.mask(vector, step=1, participants=everybody)
            total.take_input(secagg_client.key_pair.bakery, spoilt(masked.to_bytes()))
        while requests := total.unmask_requests():
            for bakery, request in requests.items():
                answer = secagg_clients[total.cohort.place(bakery)].unmask(
                    UnmaskRequest.from_bytes(spoilt(request.to_bytes()))
                )
                total.take_reply(bakery, spoilt(answer.to_bytes()))
        assert total.result().shape == (2,)
    except SecureSumError as error:
        assert "secure sum" in str(error)  # noqa: PT017


def test_a_masked_vector_is_little_more_than_the_vector() -> None:
    """At 40 bakeries and 64 kB at most 300 bytes on top, and the answer is smaller still."""
    secagg_clients = agreed(40)
    summands = vectors(40, length=8192)
    masked = secagg_clients[0].mask(
        summands[0], step=1, participants=secagg_clients[0].cohort.everybody
    )
    content = masked.to_bytes()
    assert len(content) < summands[0].nbytes + 300
    again = MaskedInput.from_bytes(content)
    np.testing.assert_array_equal(again.vector, masked.vector)
