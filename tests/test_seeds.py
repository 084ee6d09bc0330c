"""Whatever is drawn goes by names and seeds, never by an order that changes between runs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.seeds import SEED_LIMIT, derived_seed, draw, draw_share

NAMES = st.lists(st.text(min_size=1), min_size=1, max_size=20, unique=True)


@given(NAMES, st.integers(0, SEED_LIMIT), st.data())
def test_a_draw_does_not_depend_on_the_order_of_the_names(
    names: list[str], seed: int, data: st.DataObject
) -> None:
    """Shuffled names give the same draw: distinct names, as many as asked for, in text order."""
    count = data.draw(st.integers(0, len(names)))
    drawn = draw(names, count, seed=seed)
    assert drawn == draw(data.draw(st.permutations(names)), count, seed=seed)
    assert len(set(drawn)) == count
    assert set(drawn) <= set(names)
    assert list(drawn) == sorted(drawn)


def test_another_seed_draws_others() -> None:
    """Over a few seeds every name is drawn at some time."""
    names = [f"bakery {k}" for k in range(10)]
    draws = {draw(names, 3, seed=seed) for seed in range(30)}
    assert len(draws) > 10
    assert {name for drawn in draws for name in drawn} == set(names)


@pytest.mark.parametrize(
    ("fraction", "count"), [(1.0, 10), (0.999, 10), (0.74, 7), (0.3, 3), (0.04, 1), (0.001, 1)]
)
def test_a_share_is_rounded_and_never_nobody(fraction: float, count: int) -> None:
    """A tenth of four bakeries is still one bakery."""
    assert len(draw_share([f"b{k}" for k in range(10)], fraction, seed=1)) == count


def test_a_share_of_nobody_is_nobody() -> None:
    """Without names there is nothing to draw."""
    assert draw_share([], 0.5, seed=1) == ()


@given(st.integers(0, SEED_LIMIT), st.integers(0, 10_000), st.text())
def test_a_derived_seed_is_one_that_every_library_takes(seed: int, number: int, name: str) -> None:
    """Derived seeds are whole numbers from 0 to below 2**31 - 1, the same each time."""
    found = derived_seed(seed, "train", number, name)
    assert 0 <= found < SEED_LIMIT
    assert found == derived_seed(seed, "train", number, name)


def test_every_purpose_has_a_seed_of_its_own() -> None:
    """Rounds, bakeries, purposes and run seeds don't share seeds, nor do parts run together."""
    purposes: list[tuple[int, tuple[str | int, ...]]] = [
        (seed, (purpose, number, name))
        for seed in (1, 11)
        for purpose in ("train", "test")
        for number in (1, 11)
        for name in ("a", "1a", "")
    ]
    purposes += [(1, ("train1", 1, "a")), (1, ("train",)), (1, ())]
    seeds = {derived_seed(seed, *purpose) for seed, purpose in purposes}
    assert len(seeds) == len(purposes)


def test_seeds_stay_what_they_were() -> None:
    """A change here would change every model: pinned as first computed (SHA-256 by hashlib)."""
    assert derived_seed(42, "train", 3, "Rue Mouffetard") == 1458123189
