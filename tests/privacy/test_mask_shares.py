"""Shares of self-masks that nobody sends: Shamir's scheme, by another one and by counting."""

from __future__ import annotations

import itertools
import secrets

import pytest
import shamirs
from hypothesis import given, settings
from hypothesis import strategies as st

from glean.privacy.mask_shares import FIELD, SHARE_BYTES, corrections, reconstruct_seed

NUMBERS = st.integers(0, FIELD - 1)


def random_tokens(count: int) -> list[bytes]:
    return [secrets.token_bytes(SHARE_BYTES) for _ in range(count)]


def shares(tokens: list[bytes], corrected: tuple[bytes, ...], *, needed: int) -> dict[int, int]:
    """The values of the polynomial that tokens and corrections stand for, by their number."""
    lacking = [bytes(SHARE_BYTES)] * (needed - 1) + [*corrected]
    return {
        number: (int.from_bytes(token, "big") + int.from_bytes(more, "big")) % FIELD
        for number, (token, more) in enumerate(zip(tokens, lacking, strict=True), start=1)
    }


@settings(max_examples=50)
@given(st.integers(2, 12), st.data())
def test_any_that_suffice_give_the_seed_by_another_implementation(
    holders: int, data: st.DataObject
) -> None:
    """`shamirs` interpolates the same seed from whichever of the shares."""
    needed, seed = data.draw(st.integers(1, holders)), data.draw(NUMBERS)
    tokens = random_tokens(holders)
    corrected = corrections(seed, tokens, needed=needed)
    assert len(corrected) == holders - needed + 1
    values = shares(tokens, corrected, needed=needed)
    some = data.draw(st.permutations(range(1, holders + 1)))[:needed]
    points = [shamirs.share(number, values[number], FIELD) for number in sorted(some)]
    assert int(shamirs.interpolate(points, threshold=needed)) == seed
    given_away = {number: tokens[number - 1] for number in some}
    found = reconstruct_seed(given_away, corrected, needed=needed, fits=lambda one: one == seed)
    assert found == seed


@settings(max_examples=50)
@given(st.integers(3, 9), NUMBERS, NUMBERS, st.data())
def test_fewer_than_suffice_fit_every_seed(
    holders: int, seed: int, other: int, data: st.DataObject
) -> None:
    """Who lacks one token sees corrections that come of any seed, by tokens as likely as these.

    For each other seed there is exactly one value of each unknown token by which it has the same
    corrections; and as tokens are uniform, all seeds are as likely as before.
    """
    needed = data.draw(st.integers(2, holders))
    tokens = [secrets.randbelow(FIELD).to_bytes(SHARE_BYTES, "big") for _ in range(holders)]
    corrected = corrections(seed, tokens, needed=needed)
    values = shares(tokens, corrected, needed=needed)
    known = data.draw(st.permutations(range(1, holders + 1)))[: needed - 1]
    points = [(0, other), *((number, values[number]) for number in known)]
    elsewhere = []
    for number in range(1, holders + 1):
        lacking = int.from_bytes(corrected[number - needed], "big") if number >= needed else 0
        value = (_value(points, number) - lacking) % FIELD
        elsewhere.append(value.to_bytes(SHARE_BYTES, "big"))
    assert corrections(other, elsewhere, needed=needed) == corrected
    assert all(elsewhere[number - 1] == tokens[number - 1] for number in known)


def _value(points: list[tuple[int, int]], at: int) -> int:
    """The polynomial through points, by the schoolbook."""
    total = 0
    for x, y in points:
        term = y
        for other, _ in points:
            if other != x:
                term = term * (at - other) * pow(x - other, -1, FIELD) % FIELD
        total += term
    return total % FIELD


@pytest.mark.parametrize("wrong", [1, 2, 3])
def test_wrong_tokens_are_done_without(wrong: int) -> None:
    """If as many as suffice stand next to each other; else there is no seed, never another."""
    seed, tokens = 12345, random_tokens(7)
    corrected = corrections(seed, tokens, needed=4)
    given_away = dict(enumerate(tokens, start=1))
    given_away |= dict.fromkeys(range(2, 2 + wrong), bytes(SHARE_BYTES))
    found = reconstruct_seed(given_away, corrected, needed=4, fits=lambda one: one == seed)
    assert found == seed
    few = dict(itertools.islice(given_away.items(), 3))
    assert reconstruct_seed(few, corrected, needed=4, fits=lambda one: one == seed) is None
