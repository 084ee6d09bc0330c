"""What the report leads with: the units and the money that a plan saves, by hand from plan.csv."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glean.evaluation.pages.owner_page import owner_page
from glean.evaluation.tables.own_results import OwnResults
from glean.evaluation.tables.plan_savings import (
    ALONE,
    HABIT,
    Saving,
    lead_sentences,
    plan_savings,
)
from glean.evaluation.tables.results import RunResults, read_results
from glean.languages.language import ENGLISH, LanguageCode, language
from glean.runs.index import StoredRun
from tests.evaluation.made_runs import Page, made_run, report_of, score_file
from tests.evaluation.test_plan_backtest import DETAILS

PLANS, ALONE_PLANS = DETAILS["plan.csv"], DETAILS["alone.csv"]
DAYS = DETAILS["days.csv"].assign(bakery="north")
NOTHING_KNOWN = RunResults(StoredRun(Path("run"), {}))


def by_hand(plans: pd.DataFrame, policy: str, unmet: float) -> tuple[float, float]:
    """Units thrown away and money of a policy that misses so much, between two of its points."""
    points = []
    for margin in sorted(set(plans.loc[plans["policy"] == policy, "margin"])):
        mine = plans[(plans["policy"] == policy) & (plans["margin"] == margin)]
        points.append([sum(mine["unmet"]), sum(mine["overproduced"]), np.nansum(mine["cost"])])
    points.sort()
    for (low, over, cost), (high, next_over, next_cost) in pairwise(points):
        if low <= unmet <= high and low < high:
            part = (unmet - low) / (high - low)
            return over + part * (next_over - over), cost + part * (next_cost - cost)
    raise AssertionError("the policy doesn't reach so little, or so much, unmet demand")


@pytest.fixture(scope="module")
def savings() -> dict[str, Saving]:
    return {found.policy: found for found in plan_savings(PLANS, ALONE_PLANS)}


@pytest.mark.parametrize("policy", [HABIT, "last-week", ALONE])
def test_savings_are_those_of_a_loop_over_the_file(savings: dict[str, Saving], policy: str) -> None:
    """Units and money of the habit, and of the plan where it misses as much."""
    like = HABIT if policy == ALONE else policy
    habit = PLANS[(PLANS["policy"] == like) & (PLANS["margin"] == 0.0)]
    unmet = sum(habit["unmet"])
    over, cost = sum(habit["overproduced"]), np.nansum(habit["cost"])
    if policy == ALONE:
        over, cost = by_hand(ALONE_PLANS, ALONE, unmet)
    found = savings[policy]
    assert found.unmet == pytest.approx(unmet / sum(habit["units"]))
    assert (found.overproduced, found.cost) == pytest.approx((over, cost))
    assert (found.planned, found.planned_cost) == pytest.approx(by_hand(PLANS, "plan", unmet))


def test_the_lead_says_the_units_and_the_share(savings: dict[str, Saving]) -> None:
    """In whole units, by how many per cent, and a day where single days are known."""
    found = savings[HABIT]
    first, money, *others = lead_sentences(
        replace(NOTHING_KNOWN, plans=PLANS, alone=ALONE_PLANS, days=DAYS), ENGLISH
    )
    word = "less" if found.saved > 0 else "more"
    assert f"{abs(found.saved):,.0f} units {word} are thrown away over the test days" in first
    assert f"{found.planned:,.0f} instead of {found.overproduced:,.0f}" in first
    assert f"({found.planned / found.overproduced - 1:+.0%})" in first
    daily = abs(found.saved) / DAYS["date"].nunique()
    assert f"That is {daily:.1f} units a day." in first or f"That is {daily:.0f} units" in first
    assert f"costs {found.planned_cost:,.0f} instead of {found.cost:,.0f}" in money
    assert "of the products whose price and cost" in money
    assert len(others) == 2


def test_without_prices_no_money_is_named() -> None:
    """Nobody invents a price."""
    unpriced = PLANS.assign(cost=np.nan)
    said = lead_sentences(replace(NOTHING_KNOWN, plans=unpriced), ENGLISH)
    assert said
    assert "money" not in " ".join(said)
    assert "instead of" in said[0]


def test_a_plan_that_wastes_more_is_said_to() -> None:
    """Flattering or not."""
    worse = PLANS.copy()
    worse.loc[worse["policy"] == "plan", "overproduced"] *= 50
    said = lead_sentences(replace(NOTHING_KNOWN, plans=worse), ENGLISH)
    assert " more are thrown away" in said[0]


@pytest.mark.parametrize("code", ["de", "fr"])
def test_numbers_of_the_lead_are_written_by_language(
    savings: dict[str, Saving], code: LanguageCode
) -> None:
    """Percentages with their space, and no sentence in English."""
    speaks = language(code)
    first = lead_sentences(replace(NOTHING_KNOWN, plans=PLANS), speaks)[0]
    assert speaks.percent(savings[HABIT].unmet) in first
    assert "thrown away" not in first
    assert re.search(r"\d,\d\s%", first)


def kept_at_home(folder: Path) -> Path:
    """Make of a run one of a deployment with noise: means of all bakeries and nothing else."""
    rows = [
        {"bakery": "(all)", "cohort": "established", "method": method, "wape": wape}
        for method, wape in (("federated", 0.16), ("chosen", 0.15), ("local", 0.17))
    ]
    columns = score_file(folder).columns
    pd.DataFrame(rows, columns=columns).to_csv(folder / "bakeries.csv", index=False)
    facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    facts |= {"engine": "deployment", "score_noise": 0.01}
    (folder / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    return folder


def test_a_deployment_says_where_the_figures_stand(tmp_path: Path) -> None:
    """At the bakeries; and no group, no column and no bakery is made of the sum over all."""
    folder = kept_at_home(made_run(tmp_path / "run"))
    text = report_of(folder).text
    assert "in plan.csv beside its model" in text
    assert "established (1)" not in text
    assert "all bakeries: WAPE" in text
    assert "established: WAPE" not in text
    assert "RMSE (units)" not in text
    assert "Every bakery" not in text
    found = lead_sentences(read_results(folder), language("de"))
    assert found[0].startswith("Wie viel weniger weggeworfen wird")


def test_no_table_of_the_report_has_a_column_of_dashes(tmp_path: Path) -> None:
    """Also of one bakery that isn't new, without prices."""
    folder = made_run(tmp_path / "run", 1)
    scores = score_file(folder).assign(cohort="established")
    scores.to_csv(folder / "bakeries.csv", index=False)
    page = report_of(folder)
    assert "newcomers: WAPE" not in page.text
    assert "1 bakeries" not in page.text
    made = (folder / "report.html").read_text(encoding="utf-8")
    assert dashes(made) == 0


def dashes(page: str) -> int:
    """Count the columns of numbers in which every cell is a dash."""
    found = 0
    for table in re.findall(r"<tbody>(.*?)</tbody>", page, re.DOTALL):
        rows = [re.findall(r"<td>(.*?)</td>", row) for row in table.split("</tr>") if row]
        found += sum(set(column) <= {"-", "–"} for column in zip(*rows, strict=True))  # noqa: RUF001
    return found


def test_dashes_are_counted() -> None:
    """Else the test above can't fail."""
    row = "<tr><th>a</th><td>–</td><td>1</td></tr>"  # noqa: RUF001
    assert dashes(f"<tbody>{row}{row}</tbody>") == 1


def test_the_owner_s_page_leads_with_what_is_thrown_away(savings: dict[str, Saving]) -> None:
    """In its language, with the money column only where something has a price."""
    own = OwnResults(
        "north", DAYS, PLANS, alone=ALONE_PLANS, choices=DETAILS["choice.csv"], members=3
    )
    found = savings[HABIT]
    page = Page(owner_page(own, ENGLISH, habit=HABIT))
    assert f"With the plan you throw away {abs(found.saved):,.0f} units" in page.text
    assert "cost of both (money)" in page.text
    unpriced = replace(own, plans=PLANS.assign(cost=np.nan))
    german = owner_page(unpriced, language("de"))
    assert '<html lang="de">' in german
    assert "Mit dem Plan werfen Sie" in german
    assert "Kosten von beidem" not in german
    assert "Montag" in german
    assert dashes(german) == 0
