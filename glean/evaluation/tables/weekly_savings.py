"""Week by week: what plans would have left over and missed, beside a baker's own habit.

In come the units asked for by day and product, what was planned before each day, and what was
really baked where somebody entered it; out come sums by week over what both know.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

BAKED = "baked"
"""The habit of those who say what they baked."""

WEEKLY_HABITS = ("last-week", "weekday-mean", BAKED)

_MEAN_OF = 4
"""Same weekdays behind a mean, as `weekday-mean` of the back test takes them."""


@dataclass(frozen=True)
class WeekSaving:
    """A week.

    Parameters
    ----------
    monday : Timestamp
        Its first day.
    days : int
        Days of it that count.
    sold : float
        Units asked for.
    over, unmet : float
        Units left over and missed by the habit.
    plan_over, plan_unmet : float
        The same by the plan.
    cost, plan_cost : float
        Money lost with both, of products with prices; NaN where there is none.
    """

    monday: pd.Timestamp
    days: int
    sold: float
    over: float
    unmet: float
    plan_over: float
    plan_unmet: float
    cost: float
    plan_cost: float


def weekly_savings(
    asked: pd.DataFrame, planned: pd.DataFrame, habit: str, baked: pd.DataFrame | None = None
) -> list[WeekSaving]:
    """Compare plans with a habit, by week.

    Parameters
    ----------
    asked : DataFrame
        `date`, `product`, `units` that were asked for; a row a day and product.
    planned : DataFrame
        `date`, `product`, `bake`, and `margin` and `loss` of a unit, NaN where no price is known.
    habit : str
        One of `WEEKLY_HABITS`.
    baked : DataFrame, optional
        `date`, `product`, `units` that were really baked; wanted for that habit.

    Returns
    -------
    list of WeekSaving
        In the order of weeks; without days of which the plan, the habit or the sales aren't known.
    """
    if planned.empty or (habit == BAKED and baked is None):
        return []
    usual = _habit(asked, habit, baked)
    rows = planned.merge(asked, on=["date", "product"]).merge(usual, on=["date", "product"])
    rows = rows[rows["usual"].notna()]
    if rows.empty:
        return []
    over, unmet = _over_and_unmet(rows["usual"], rows["units"])
    plan_over, plan_unmet = _over_and_unmet(rows["bake"], rows["units"])
    priced = rows["loss"].notna() & rows["margin"].notna()
    found = rows.assign(
        over=over,
        unmet=unmet,
        plan_over=plan_over,
        plan_unmet=plan_unmet,
        cost=(over * rows["loss"] + unmet * rows["margin"]).where(priced),
        plan_cost=(plan_over * rows["loss"] + plan_unmet * rows["margin"]).where(priced),
        monday=rows["date"] - pd.to_timedelta(rows["date"].dt.day_of_week, unit="D"),
    )
    return [_week(pd.Timestamp(str(monday)), week) for monday, week in found.groupby("monday")]


@dataclass(frozen=True)
class EqualMiss:
    """What is left over by a habit, and by the plan that misses as much.

    Parameters
    ----------
    unmet : float
        Units that both miss.
    over, plan_over : float
        Units left over by the habit and by the plan.
    """

    unmet: float
    over: float
    plan_over: float


def at_equal_miss(
    asked: pd.DataFrame, planned: pd.DataFrame, habit: str, baked: pd.DataFrame | None = None
) -> EqualMiss | None:
    """Compare a habit with the plan that misses as much, as else one leaves and one misses more.

    Parameters
    ----------
    asked, habit, baked
        As in `weekly_savings`.
    planned : DataFrame
        `date`, `product`, and columns 0, 1, ... with units at rising levels of the demand.

    Returns
    -------
    EqualMiss or None
        None where nothing is known, or where no level misses as much.
    """
    if planned.empty or (habit == BAKED and baked is None):
        return None
    usual = _habit(asked, habit, baked)
    rows = planned.merge(asked, on=["date", "product"]).merge(usual, on=["date", "product"])
    rows = rows[rows["usual"].notna()]
    levels = sorted(name for name in planned if isinstance(name, int))
    if rows.empty or not levels:
        return None
    units = rows["units"].to_numpy()[:, None]
    baking = rows[levels].to_numpy(dtype=np.float64)
    if (units == np.round(units)).all():
        baking = np.ceil(baking - 1e-9)
    over = np.maximum(baking - units, 0.0).sum(axis=0)
    unmet = np.maximum(units - baking, 0.0).sum(axis=0)
    habit_over, habit_unmet = _over_and_unmet(rows["usual"], rows["units"])
    missed = float(habit_unmet.sum())
    # What is missed falls from level to level.
    plan_over = float(np.interp(missed, unmet[::-1], over[::-1], left=np.nan, right=np.nan))
    return None if np.isnan(plan_over) else EqualMiss(missed, float(habit_over.sum()), plan_over)


def _week(monday: pd.Timestamp, rows: pd.DataFrame) -> WeekSaving:
    sums = {name: float(rows[name].sum()) for name in ("over", "unmet", "plan_over", "plan_unmet")}
    # NaN where no product has a price: pandas would call that 0.
    money = {name: float(rows[name].sum(min_count=1)) for name in ("cost", "plan_cost")}
    days = int(rows["date"].nunique())
    return WeekSaving(monday, days, float(rows["units"].sum()), **sums, **money)


def _over_and_unmet(
    baked: pd.Series[float], asked: pd.Series[float]
) -> tuple[pd.Series[float], pd.Series[float]]:
    return (baked - asked).clip(lower=0.0), (asked - baked).clip(lower=0.0)


def _habit(asked: pd.DataFrame, habit: str, baked: pd.DataFrame | None) -> pd.DataFrame:
    """Say what the habit bakes on each day of the sales: `date`, `product`, `usual`."""
    if habit == BAKED and baked is not None:
        return baked.rename(columns={"units": "usual"})
    rows = asked.sort_values(["product", "date"], ignore_index=True)
    same = rows.groupby(["product", rows["date"].dt.day_of_week])["units"]
    if habit == "last-week":
        usual = same.shift(1)
    else:
        usual = same.transform(lambda units: units.shift(1).rolling(_MEAN_OF).mean())
    if (rows["units"] == rows["units"].round()).all():
        usual = np.ceil(usual - 1e-9)
    return rows[["date", "product"]].assign(usual=usual)
