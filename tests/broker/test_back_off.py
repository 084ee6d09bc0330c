"""Pauses between tries, by a clock that the test moves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from glean.broker.back_off import FIRST_PAUSE_S, LONGEST_PAUSE_S, BackOff

ROUNDING_S = 1e-6
DRAWS = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@given(DRAWS)
def test_pauses_grow_and_stay_below_the_longest(draws: list[float]) -> None:
    """Each lies between half of its length and all of it, and it's tried once it is over."""
    now, drawn = [0.0], iter(draws)
    back_off = BackOff(clock=lambda: now[0], draw=lambda: next(drawn))
    longest = FIRST_PAUSE_S
    for _ in draws:
        assert back_off.due
        back_off.failed()
        assert longest / 2 - ROUNDING_S <= back_off.wait_s <= longest + ROUNDING_S
        now[0] += back_off.wait_s + ROUNDING_S
        longest = min(2 * longest, LONGEST_PAUSE_S)


def test_after_a_success_it_begins_with_the_shortest() -> None:
    """However often it had failed before."""
    back_off = BackOff(clock=lambda: 0.0, draw=lambda: 1.0)
    for _ in range(10):
        back_off.failed()
    back_off.succeeded()
    assert back_off.due
    back_off.failed()
    assert back_off.wait_s == FIRST_PAUSE_S
