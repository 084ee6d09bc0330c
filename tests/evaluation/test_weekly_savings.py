"""Savings by week, against a plain loop over days and products."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from glean.evaluation.tables.weekly_savings import (
    BAKED,
    WEEKLY_HABITS,
    at_equal_miss,
    weekly_savings,
)
from tests.tables import random_table

ASKED = random_table(days=70, seed=3).rows[["date", "product", "units"]]
LAST = ASKED["date"].max()
RNG = np.random.default_rng(2)
PLANNED = ASKED[ASKED["date"] > LAST - pd.Timedelta(days=15)].assign(
    bake=lambda rows: RNG.integers(20, 60, len(rows)).astype(float),
    margin=lambda rows: np.where(rows["product"] == "product 0", 2.0, np.nan),
    loss=lambda rows: np.where(rows["product"] == "product 0", 0.5, np.nan),
)[["date", "product", "bake", "margin", "loss"]]
REALLY = PLANNED.assign(units=PLANNED["bake"] + 3)[["date", "product", "units"]].iloc[::2]


def usual_of(habit: str, day: pd.Timestamp, product: str) -> float | None:
    """What a habit bakes, from the sales alone."""
    if habit == BAKED:
        rows = REALLY[(REALLY["date"] == day) & (REALLY["product"] == product)]
        return None if rows.empty else float(rows["units"].iloc[0])
    mine = ASKED[(ASKED["product"] == product) & (ASKED["date"] < day)]
    same = mine[mine["date"].dt.day_of_week == day.day_of_week]["units"].tolist()
    if habit == "last-week":
        return same[-1] if same else None
    return math.ceil(sum(same[-4:]) / 4 - 1e-9) if len(same) >= 4 else None


@pytest.mark.parametrize("habit", WEEKLY_HABITS)
def test_weeks_are_those_of_a_loop(habit: str) -> None:
    """Units and money of both, only of days and products that the habit knows."""
    wanted: dict[pd.Timestamp, dict[str, float]] = {}
    for day, product, bake, margin, loss in PLANNED.to_numpy().tolist():
        asked = ASKED[(ASKED["date"] == day) & (ASKED["product"] == product)]["units"].iloc[0]
        usual = usual_of(habit, day, product)
        if usual is None:
            continue
        monday = day - pd.Timedelta(days=day.day_of_week)
        week = wanted.setdefault(monday, dict.fromkeys(("over", "unmet", "cost", "sold"), 0.0))
        over, unmet = max(usual - asked, 0), max(asked - usual, 0)
        planned = (max(bake - asked, 0), max(asked - bake, 0))
        week["over"] += over
        week["unmet"] += unmet
        week["sold"] += asked
        week["plan_over"] = week.get("plan_over", 0.0) + planned[0]
        week["plan_unmet"] = week.get("plan_unmet", 0.0) + planned[1]
        if not math.isnan(margin):
            week["cost"] += over * loss + unmet * margin
    found = weekly_savings(ASKED, PLANNED, habit, REALLY)
    assert [one.monday for one in found] == sorted(wanted)
    for one in found:
        for name, value in wanted[one.monday].items():
            assert getattr(one, name) == pytest.approx(value), name


def test_without_prices_no_money_is_named() -> None:
    """Nobody invents a price."""
    unpriced = PLANNED.assign(margin=np.nan, loss=np.nan)
    assert all(math.isnan(week.cost) for week in weekly_savings(ASKED, unpriced, "last-week"))


def test_where_nothing_is_known_there_is_no_week() -> None:
    """Nothing was baked that anybody entered; no plan; no sales afterwards."""
    assert weekly_savings(ASKED, PLANNED, BAKED) == []
    assert weekly_savings(ASKED, PLANNED.iloc[:0], "last-week") == []
    later = PLANNED.assign(date=PLANNED["date"] + pd.Timedelta(days=400))
    assert weekly_savings(ASKED, later, "last-week") == []


def test_a_perfect_plan_saves_all_that_the_habit_loses() -> None:
    """And a plan that is the habit saves nothing."""
    perfect = PLANNED.drop(columns="bake").merge(ASKED, on=["date", "product"])
    perfect = perfect.rename(columns={"units": "bake"})
    for week in weekly_savings(ASKED, perfect, "weekday-mean"):
        assert (week.plan_over, week.plan_unmet, week.plan_cost) == (0.0, 0.0, 0.0)
        assert week.over + week.unmet > 0


def test_the_plan_that_misses_as_much_lies_between_two_levels() -> None:
    """Against a loop over levels; out of their reach nothing is said."""
    levels = pd.DataFrame({k: ASKED["units"] * (0.7 + 0.2 * k) for k in range(4)})
    planned = pd.concat([ASKED[["date", "product"]], levels], axis=1)
    planned = planned[planned["date"] > LAST - pd.Timedelta(days=15)]
    points, over, unmet = [], 0.0, 0.0
    for k in range(4):
        both = [0.0, 0.0]
        for day, product, baking in planned[["date", "product", k]].to_numpy().tolist():
            mine = ASKED[(ASKED["date"] == day) & (ASKED["product"] == product)]["units"].iloc[0]
            both[0] += max(mine - math.ceil(baking - 1e-9), 0)
            both[1] += max(math.ceil(baking - 1e-9) - mine, 0)
            usual = usual_of("last-week", day, product)
            if k == 0 and usual is not None:
                over, unmet = over + max(usual - mine, 0), unmet + max(mine - usual, 0)
        points.append(both)
    # Where two levels miss as much, the one that leaves less over counts.
    points.sort(key=lambda point: (point[0], -point[1]))
    found = at_equal_miss(ASKED, planned, "last-week")
    assert found is not None
    assert (found.unmet, found.over) == pytest.approx((unmet, over))
    assert found.plan_over == pytest.approx(
        np.interp(unmet, [point[0] for point in points], [point[1] for point in points])
    )
    assert at_equal_miss(ASKED, planned[["date", "product", 3]], "last-week") is None
    assert at_equal_miss(ASKED, planned.iloc[:0], "last-week") is None
