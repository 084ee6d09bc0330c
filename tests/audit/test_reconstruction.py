"""The attacks find what is known to be told, and nothing where noise stands before it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from glean.audit.finding import Finding
from glean.audit.lone_cells import lone_cells
from glean.audit.reconstruction import PRODUCT_DAYS, TOTALS, TURNOVER, findings
from tests.audit.audited_runs import Attacked

pytestmark = pytest.mark.slow

LEAST_SQUARES = "least squares over all sums"
TWO_RUNS = "two runs, one without the bakery"
RESUMED = "a run resumed without the bakery"
THIN = "thin leaves"


def by_attack(run: Attacked) -> Mapping[tuple[str, str], Finding]:
    return {(one.attack, one.target): one for one in findings(run.evidence)}


def test_without_noise_a_small_table_is_read(telling: Attacked) -> None:
    """More equations than rows give all of them; differences of runs some."""
    found = by_attack(telling)
    solved = found[LEAST_SQUARES, PRODUCT_DAYS]
    assert solved.there > 0.9 * solved.tried
    assert solved.not_there < 0.1 * solved.tried
    assert found[TWO_RUNS, PRODUCT_DAYS].significant
    assert found[RESUMED, PRODUCT_DAYS].significant
    cells = lone_cells(telling.whole, list(telling.evidence.bakeries.values()))
    assert cells.single_rows > 0
    assert cells.fewest == 1


def test_without_a_floor_totals_are_read_from_two_runs_and_from_two_rounds(
    telling: Attacked,
) -> None:
    """Rows, levels and turnover of a bakery, though scores are hidden."""
    totals = [one for one in findings(telling.evidence) if one.target != PRODUCT_DAYS]
    assert {one.target for one in totals} == {TOTALS, TURNOVER}
    assert all(one.there == one.tried for one in totals)


def test_a_floor_leaves_no_thin_leaf_and_doesn_t_stop_equations(floored: Attacked) -> None:
    """Each leaf is of three bakeries, and still there are more of them than rows."""
    cells = lone_cells(floored.whole, list(floored.evidence.bakeries.values()))
    assert cells.fewest == 3
    assert cells.alone == 0
    found = by_attack(floored)
    assert not found[THIN, PRODUCT_DAYS].significant
    solved = found[LEAST_SQUARES, PRODUCT_DAYS]
    assert solved.there > 0.9 * solved.tried


def test_with_a_floor_nothing_is_opened_anew_without_a_bakery_that_left(floored: Attacked) -> None:
    """Neither scores when it leaves, nor leaves or gradients when the run is resumed without it."""
    found = by_attack(floored)
    (turnover,) = [one for one in found.values() if one.target == TURNOVER]
    assert turnover.there == 0
    assert found[RESUMED, PRODUCT_DAYS].there == 0
    for name, run in floored.evidence.resumed.items():
        assert [one for one in run.received.sums if name not in one.senders] == []


def test_with_noise_no_attack_gets_more_than_chance(noised: Attacked) -> None:
    """Of the same table: product-days, rows, levels."""
    found = list(findings(noised.evidence))
    assert {one.attack for one in found} >= {THIN, TWO_RUNS, LEAST_SQUARES}
    assert [one for one in found if one.significant] == []
    assert all(one.there < 0.05 * one.tried for one in found)
