"""What is thrown away less at the same unmet demand: `plan.csv` becomes what a report leads with.

In come the rows of the back test of plans; out come the units, and the money where prices are
known, that the plan saves against the habits of a baker and against a plan made alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from glean.evaluation.tables.headline import units_word
from glean.evaluation.tables.own_results import OwnResults
from glean.evaluation.tables.results import RunResults
from glean.languages.catalogues import translatable
from glean.languages.language import Language
from glean.sales.table import ALL_BAKERIES

HABIT, ALONE = "weekday-mean", "alone"

HABITS = (HABIT, "last-week")

_THAN = {
    HABIT: translatable("than by baking the mean of the last four same weekdays"),
    ALONE: translatable("than by a plan made alone"),
    "last-week": translatable("than by baking the sales of the last same weekday"),
}
_OF_ALL = (
    translatable(
        "By what each bakery bakes by (chosen), {saved} {units} less are thrown away over the test "
        "days {than}, with as much demand unmet ({unmet}): {planned} instead of {over} ({change})."
    ),
    translatable(
        "By what each bakery bakes by (chosen), {saved} {units} more are thrown away over the test "
        "days {than}, with as much demand unmet ({unmet}): {planned} instead of {over} ({change})."
    ),
)
_OF_ONE = (
    translatable(
        "With the plan you throw away {saved} {units} less over the test days {than}, and miss as "
        "much ({unmet}): {planned} instead of {over} ({change})."
    ),
    translatable(
        "With the plan you throw away {saved} {units} more over the test days {than}, and miss as "
        "much ({unmet}): {planned} instead of {over} ({change})."
    ),
)


@dataclass(frozen=True)
class Saving:
    """What the plan does in the place of another way to bake that leaves as much demand unmet.

    Parameters
    ----------
    policy : str
        The other way: "weekday-mean", "alone" or "last-week".
    unmet : float
        Of both, a share of the demand.
    overproduced, planned : float
        What the other way and the plan throw away, units.
    cost, planned_cost : float
        What is thrown away and missed then, money; NaN where no product has a price and a cost.
    """

    policy: str
    unmet: float
    overproduced: float
    planned: float
    cost: float
    planned_cost: float

    @property
    def saved(self) -> float:
        """Units that the plan doesn't throw away; negative where it throws away more."""
        return self.overproduced - self.planned


def plan_savings(
    plans: pd.DataFrame, alone: pd.DataFrame | None = None, *, habit: str = HABIT
) -> list[Saving]:
    """Compare the plan with each habit without a margin, and with a plan made alone.

    The plan that misses as much lies between two critical ratios, and so does what it throws away
    and costs: as if it were baked by the one on some days and by the other on the rest.

    Parameters
    ----------
    plans, alone : DataFrame
        Rows of `plan.csv` and `alone.csv`. A plan made alone is compared where it misses as much as
        the habit.
    habit : str
        The habit that comes first, one of `HABITS`.

    Returns
    -------
    list of Saving
        Those that the plans reach.
    """
    sums = _summed(plans)
    plan = sums[sums["policy"] == "plan"]
    by_oneself = None if alone is None else _summed(alone)
    found = []
    for policy in (habit, ALONE, *(other for other in HABITS if other != habit)):
        like = habit if policy == ALONE else policy
        usual = sums[(sums["policy"] == like) & (sums["margin"] == 0.0)]
        if usual.empty or plan.empty or (policy == ALONE and by_oneself is None):
            continue
        unmet = float(usual["unmet"].iloc[0])
        planned = _missing(plan, unmet)
        other = _missing(usual if policy != ALONE or by_oneself is None else by_oneself, unmet)
        units = float(usual["units"].iloc[0])
        if units > 0 and not np.isnan([other["overproduced"], planned["overproduced"]]).any():
            found.append(
                Saving(
                    policy,
                    unmet / units,
                    other["overproduced"],
                    planned["overproduced"],
                    other["cost"],
                    planned["cost"],
                )
            )
    return found


def lead_sentences(results: RunResults, language: Language) -> list[str]:
    """Say first of a run what less is thrown away, or where that stands."""
    if results.plans is None:
        where = _where_it_stands(results, language)
        return [where] if where else []
    told = _Told(results.plans, results.days, results.units_label, language)
    return _sentences(plan_savings(results.plans, results.alone), told, _OF_ALL)


def owner_sentences(own: OwnResults, habit: str, language: Language) -> list[str]:
    """Say the same to an owner: against a habit and, where there are others, a plan alone."""
    alone = own.alone if own.joined else None
    found = plan_savings(own.plans, alone, habit=habit)[: 1 if alone is None else 2]
    told = _Told(own.plans, own.days, own.units_label, language)
    return _sentences(found, told, _OF_ONE)


def _summed(plans: pd.DataFrame) -> pd.DataFrame:
    """Add up over products: a row a policy and margin; the cost of those that have one."""
    groups = plans.groupby(["policy", "margin"])
    sums = groups[["units", "overproduced", "unmet"]].sum()
    # NaN where no product has a price: pandas would call that 0.
    return sums.assign(cost=groups["cost"].sum(min_count=1)).reset_index()


def _missing(policy: pd.DataFrame, unmet: float) -> dict[str, float]:
    """Say what a policy does where it misses so much; NaN beyond its ends."""
    rows = policy.sort_values("unmet")
    at = rows["unmet"].to_numpy()
    return {
        name: float(np.interp(unmet, at, rows[name].to_numpy(), left=np.nan, right=np.nan))
        for name in ("overproduced", "cost")
    }


@dataclass(frozen=True)
class _Told:
    """What is told of: the plans of some bakeries, their single days where kept, and to whom."""

    plans: pd.DataFrame
    days: pd.DataFrame | None
    units_label: str
    language: Language


def _sentences(savings: Sequence[Saving], told: _Told, words: tuple[str, str]) -> list[str]:
    language = told.language
    units = units_word(told.units_label, language)
    sentences: list[str] = []
    for found in savings:
        sentence = language.translate(
            words[found.saved < 0],
            saved=language.number(abs(found.saved)),
            units=units,
            than=language.gettext(_THAN[found.policy]),
            unmet=language.percent(found.unmet),
            planned=language.number(found.planned),
            over=language.number(found.overproduced),
            change=_change(found.planned, found.overproduced, language),
        )
        daily = "" if sentences else _daily(told, abs(found.saved), units)
        sentences.append(" ".join(filter(None, (sentence, daily))))
        if len(sentences) == 1 and (money := _in_money(found, told.plans, language)):
            sentences.append(money)
    return sentences


def _daily(told: _Told, saved: float, units: str) -> str:
    """Say how much that is a day; "" where the days weren't kept."""
    language = told.language
    if told.days is None:
        return ""
    names = told.plans["bakery"].unique()
    days = told.days[told.days["bakery"].isin(names)].drop_duplicates(["bakery", "date"])
    if days.empty:
        return ""
    daily = saved / len(days)
    shown = language.number(daily, 0 if daily >= _WHOLE_FROM else 1)
    if len(names) == 1:
        return language.translate("That is {daily} {units} a day.", daily=shown, units=units)
    return language.translate(
        "That is {daily} {units} a day in each bakery, on average.", daily=shown, units=units
    )


_WHOLE_FROM = 10.0


def _in_money(found: Saving, plans: pd.DataFrame, language: Language) -> str:
    """Say a saving in money; "" where no product has a price and a cost."""
    if np.isnan([found.cost, found.planned_cost]).any():
        return ""
    return language.translate(
        _MONEY_OF_SOME if plans["cost"].isna().any() else _MONEY,
        planned=language.number(found.planned_cost),
        over=language.number(found.cost),
        change=_change(found.planned_cost, found.cost, language),
    )


_MONEY = translatable(
    "In money, by the prices and costs of the product list, what is thrown away and missed costs "
    "{planned} instead of {over} ({change})."
)
_MONEY_OF_SOME = translatable(
    "In money, of the products whose price and cost the product list has, what is thrown away and "
    "missed costs {planned} instead of {over} ({change})."
)


def _change(now: float, before: float, language: Language) -> str:
    return language.change(now / before - 1) if before > 0 else language.percent(None)


def _where_it_stands(results: RunResults, language: Language) -> str:
    scores = results.scores
    summed = scores is not None and bool((scores["bakery"] == ALL_BAKERIES).any())
    if summed or results.run.engine == "deployment":
        return language.translate(
            "How much less is thrown away at the same unmet demand is each bakery's own to know: "
            "its figures are in the home folder on its own machine, in plan.csv beside its model, "
            "and nobody else has them."
        )
    return ""
