"""Speeds on the virtual clock: by name and seed, spread as far as is wanted."""

from __future__ import annotations

import numpy as np
import pytest

from glean.federation.grids.virtual_clock import STRAGGLES, ClientSpeeds

NAMES = tuple(f"client {k}" for k in range(400))


@pytest.mark.parametrize("spread", [1.0, 5.0, 20.0])
@pytest.mark.parametrize("count", [1, 2, 400])
def test_speeds_are_spread_evenly_in_the_logarithm(spread: float, count: int) -> None:
    """From 1 to the spread, both included; a client has one speed in all rounds."""
    speeds = ClientSpeeds(42, NAMES[:count], spread)
    found = [speeds.seconds(name, 1) for name in NAMES[:count]]
    np.testing.assert_allclose(sorted(found), np.geomspace(1.0, spread, count))
    assert found == [speeds.seconds(name, 9) for name in NAMES[:count]]
    assert speeds.slowest(NAMES[:count], 1) == max(found)
    assert speeds.slowest([], 1) == 0.0


def test_stragglers_are_drawn_anew_in_each_round() -> None:
    """As many as are wanted, of any speed."""
    plain, late = ClientSpeeds(42, NAMES, 3.0), ClientSpeeds(42, NAMES, 3.0, 0.25)
    longer = [
        [late.seconds(name, number) / plain.seconds(name, number) for name in NAMES]
        for number in (1, 2)
    ]
    assert {*np.round(longer[0], 6)} == {1.0, STRAGGLES}
    assert np.mean(np.array(longer) > 1) == pytest.approx(0.25, abs=0.05)
    assert longer[0] != longer[1]


def test_another_seed_makes_others_fast() -> None:
    """Else every comparison would be of one order of clients."""
    one, other = (
        [ClientSpeeds(seed, NAMES, 20.0).seconds(name, 1) for name in NAMES] for seed in (1, 2)
    )
    assert one != other
    assert sorted(one) == sorted(other)
