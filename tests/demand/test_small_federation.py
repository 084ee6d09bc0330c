"""What a run with noise says of few bakeries before it begins."""

from __future__ import annotations

import pytest

from glean.demand.small_federation import SHORT_DAYS, caution, days_wanted
from glean.federation.wire.noised_parts import budget_of
from glean.settings import ConfigValue, RunSettings


def noised(**changes: ConfigValue) -> RunSettings:
    return RunSettings.from_config({"privacy": "noise", **changes})


def test_more_bakeries_or_less_noise_want_fewer_days() -> None:
    """What counts is all days together times mu: in inverse proportion to both."""
    base = days_wanted(noised(), bakeries=3)
    assert days_wanted(noised(), bakeries=30) == pytest.approx(base / 10, abs=1)
    louder = noised(epsilon=1.0)
    ratio = budget_of(noised()).mu / budget_of(louder).mu
    assert days_wanted(louder, bakeries=3) == pytest.approx(base * ratio, abs=ratio)


@pytest.mark.parametrize(("bakeries", "warned"), [(3, True), (5, True), (10, False), (40, False)])
def test_few_bakeries_are_told_what_would_help(bakeries: int, warned: bool) -> None:
    """From ten on at the default epsilon no table is too short to be learned from together."""
    words = caution(noised(), bakeries=bakeries)
    assert bool(words) == warned
    if warned:
        days = days_wanted(noised(), bakeries=bakeries)
        assert days > SHORT_DAYS
        assert f"{bakeries} bakeries are few for noise at epsilon 4" in words
        assert f"unless they have {days} days of training each" in words
        assert "more bakeries, longer tables, or privacy=sums" in words


def test_nothing_is_said_without_noise_or_bakeries() -> None:
    """Sums as they are want no more bakeries than masks do."""
    assert caution(RunSettings.from_config({}), bakeries=3) == ""
    assert caution(noised(), bakeries=0) == ""
