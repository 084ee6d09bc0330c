"""The list of a day: left-overs come off, trays stay whole, a cost is what demand makes of it."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.shop.plans.bake_list import bake_list, cost_of, in_groups, share_of_days
from glean.shop.plans.kept_plans import KeptPlan, KeptPlans
from tests.shop.conftest import NOW, plan_values

DAY = dt.date(2026, 11, 30)


def kept(tmp_path: Path, **bake: float) -> KeptPlan:
    plans = KeptPlans(tmp_path)
    plans.keep([plan_values(DAY, **bake)], NOW)
    found = plans.of(DAY)
    assert found is not None
    return found


def test_left_overs_of_goods_that_keep_are_taken_off(tmp_path: Path) -> None:
    """Of others they aren't, and never more than is planned."""
    plan = kept(tmp_path, Roggenbrot=40.0, Brötchen=200.0)
    lines = bake_list(plan, left_over={"Roggenbrot": 6.0, "Brötchen": 30.0})
    assert [(line.bake, line.left_over) for line in lines] == [(34.0, 6.0), (200.0, 0.0)]
    assert bake_list(plan, left_over={"Roggenbrot": 90.0})[0].bake == 0.0


def test_orders_come_on_top_and_trays_stay_whole(tmp_path: Path) -> None:
    plan = kept(tmp_path, Roggenbrot=40.0)
    (line,) = bake_list(plan, ordered={"Roggenbrot": 3.0})
    assert (line.bake, line.for_sale) == (43.0, 40.0)
    content = plan_values(DAY, Roggenbrot=48.0)
    content["products"][0]["batch"] = 12.0
    KeptPlans(tmp_path).keep([content], NOW)
    trays = KeptPlans(tmp_path).of(DAY)
    assert trays is not None
    (line,) = bake_list(trays, left_over={"Roggenbrot": 5.0})
    assert (line.bake, line.more, line.less) == (48.0, 60.0, 36.0)


def test_a_corrected_number_is_the_baker_s(tmp_path: Path) -> None:
    (line,) = bake_list(kept(tmp_path, Roggenbrot=40.0), corrections={"Roggenbrot": 55.0})
    assert (line.planned, line.bake, line.corrected) == (40.0, 55.0, True)


@given(units=st.floats(0.0, 60.0))
def test_a_cost_is_the_mean_over_demand(units: float) -> None:
    """Against demand that is drawn: as likely between any two quantiles."""
    quantiles = tuple(float(level) for level in range(10, 48, 2))
    share = share_of_days(units, quantiles)
    assert 0.0 <= share <= 1.0
    inner = [q for q in quantiles if q <= units]
    assert share == pytest.approx(len(inner) / 20, abs=0.05 + 1e-9)


def test_the_day_s_cost_adds_up(tmp_path: Path) -> None:
    plan = kept(tmp_path, Roggenbrot=40.0, nobody=10.0)
    cost = cost_of(bake_list(plan))
    demand = np.array(plan.products[0].quantiles)
    over, short = np.maximum(40 - demand, 0).mean(), np.maximum(demand - 40, 0).mean()
    assert cost.money == pytest.approx(0.5 * over + 2.0 * short)
    assert (cost.priced, cost.unpriced, cost.days_of_ten) == (1, 1, 8)


def test_a_dearer_list_leaves_more_over(tmp_path: Path) -> None:
    plan = kept(tmp_path, nobody=40.0)
    costs = [cost_of(bake_list(plan, corrections={"nobody": n})) for n in (20.0, 40.0, 60.0)]
    assert costs[0].left_over < costs[1].left_over < costs[2].left_over
    assert costs[0].missed > costs[1].missed >= costs[2].missed
    assert [cost.days_of_ten for cost in costs] == [0, 8, 10]


def test_groups_keep_their_order_and_the_rest_comes_last(tmp_path: Path) -> None:
    lines = bake_list(kept(tmp_path, Brötchen=200.0, Roggenbrot=40.0, Croissant=9.0))
    assert [(name, len(group)) for name, group in in_groups(lines)] == [("Brot", 1), ("", 2)]


@pytest.mark.parametrize("content", ["", "{", '{"version": 1}', '{"version": 99}', "[]", "null"])
def test_a_damaged_plan_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / f"{DAY}.json").write_text(content, "utf-8")
    plans = KeptPlans(tmp_path)
    assert plans.of(DAY) is None
    assert plans.days() == [DAY]


def test_a_plan_that_was_made_anew_is_read_anew(tmp_path: Path) -> None:
    plans = KeptPlans(tmp_path)
    plans.keep([plan_values(DAY, Roggenbrot=40.0)], NOW)
    first = plans.of(DAY)
    assert first is not None
    assert plans.of(DAY) is first
    path = tmp_path / f"{DAY}.json"
    content = json.loads(path.read_text("utf-8"))
    content["products"][0]["bake"] = 41.0
    path.write_text(json.dumps(content), "utf-8")
    second = plans.of(DAY)
    assert second is not None
    assert second.products[0].bake == 41.0
