"""What a plan brings a shop, as plain values in all languages: by week and by the last run.

For whoever asks from another process than the one that makes them; what needs pandas is imported
where it is used.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glean.errors import GleanError
from glean.languages.language import LANGUAGES, language
from glean.runs.client_home import is_home

if TYPE_CHECKING:
    import pandas as pd

    from glean.evaluation.tables.own_results import OwnResults
    from glean.sales.firm_orders import FirmOrder

MOST_WEEKS = 12


@dataclass(frozen=True)
class SavingsRequest:
    """What is asked.

    Parameters
    ----------
    home, sales, plans : Path
        The bakery's home, its table, and the folder of the plans that were kept.
    bakery : str
        Which bakery of the table; "" where it holds one.
    left_over : mapping of date to mapping of str to float
        Units left over by day and product, where they were entered.
    orders : tuple of FirmOrder
        Those that the till counts, which no habit bakes.
    """

    home: Path
    sales: Path
    plans: Path
    bakery: str = ""
    left_over: Mapping[dt.date, Mapping[str, float]] = field(default_factory=dict)
    orders: tuple[FirmOrder, ...] = ()


def shop_savings(request: SavingsRequest) -> dict[str, Any]:
    """Make the values.

    Returns
    -------
    dict
        `weeks`: habit -> weeks, the newest first, each a dict like `WeekSaving`; `equal`: habit ->
        a dict like `EqualMiss`, or None; `run`: habit and
        language -> sentences on the test days of the last run; `left`, `stayed`, `budget`: by
        language, what left the shop; empty where the bakery has taken part in no run.

    Raises
    ------
    GleanError
        The table can't be read, or a file of the home is damaged.
    """
    return {**_of_the_days(request), **_of_the_run(request.home)}


def _of_the_days(request: SavingsRequest) -> dict[str, Any]:
    from glean.evaluation.tables.weekly_savings import (
        WEEKLY_HABITS,
        at_equal_miss,
        weekly_savings,
    )
    from glean.operations.planning.bakery_context import read_bakery
    from glean.sales.firm_orders import walk_in_sales
    from glean.sales.stock_outs import with_demand

    sales = walk_in_sales(read_bakery(request.sales, request.bakery), request.orders)
    asked = with_demand(sales).rows[["date", "product", "units"]]
    planned, baked = _planned(request.plans), _baked(sales.rows, request.left_over)
    found, equal = {}, {}
    for habit in WEEKLY_HABITS:
        same = at_equal_miss(asked, planned, habit, baked)
        equal[habit] = None if same is None else vars(same)
        weeks = weekly_savings(asked, planned, habit, baked)[-MOST_WEEKS:]
        found[habit] = [
            {
                **{name: _known(value) for name, value in vars(week).items() if name != "monday"},
                "monday": f"{week.monday:%Y-%m-%d}",
            }
            for week in reversed(weeks)
        ]
    return {"weeks": found, "equal": equal}


def _planned(folder: Path) -> pd.DataFrame:
    """Read what was planned; only by plans that were made before their day was over."""
    import pandas as pd

    rows = []
    for path in sorted(folder.glob("????-??-??.json")):
        try:
            plan = json.loads(path.read_bytes())
            if plan["known_until"] < plan["date"]:
                rows += [
                    {"date": plan["date"]}
                    | {name: line[name] for name in ("product", "bake", "margin", "loss")}
                    | dict(enumerate(line["quantiles"]))
                    for line in plan["products"]
                ]
        except (OSError, ValueError, KeyError, TypeError):
            continue
    if not rows:
        return pd.DataFrame()
    table = pd.DataFrame(rows)
    numbers = {name: table[name].astype("float64") for name in ("bake", "margin", "loss")}
    return table.assign(date=pd.to_datetime(table["date"]), **numbers)


def _baked(
    sold: pd.DataFrame, left_over: Mapping[dt.date, Mapping[str, float]]
) -> pd.DataFrame | None:
    """Add up what was sold and what was left over, where both are known."""
    import pandas as pd

    left = [
        (pd.Timestamp(day), product, units)
        for day, by_product in left_over.items()
        for product, units in by_product.items()
    ]
    if not left:
        return None
    table = pd.DataFrame(left, columns=["date", "product", "left"])
    both = table.merge(sold[["date", "product", "units"]], on=["date", "product"])
    return both.assign(units=both["units"] + both["left"])[["date", "product", "units"]]


def _of_the_run(home: Path) -> dict[str, Any]:
    from glean.evaluation.pages.left_the_shop import left_the_shop, stayed_in_the_shop
    from glean.evaluation.tables.own_results import own_results_of_home
    from glean.operations.reports.privacy_ledger import budget_in_words

    try:
        own = own_results_of_home(home) if is_home(home) else None
    except GleanError:
        own = None  # a home whose last run has left no tables: there is nothing to tell yet
    if own is None:
        return {"run": {}, "left": {}, "stayed": {}, "budget": {}, "members": 0}
    speak = {code: language(code) for code in LANGUAGES}
    return {
        "members": own.members,
        "run": _sentences(own),
        "left": {code: left_the_shop(own, speaks) for code, speaks in speak.items()},
        "stayed": {code: stayed_in_the_shop(own, speaks) for code, speaks in speak.items()},
        "budget": {code: list(budget_in_words(home, speaks)) for code, speaks in speak.items()},
    }


def _sentences(own: OwnResults) -> dict[str, dict[str, list[str]]]:
    from glean.evaluation.tables.plan_savings import HABITS, owner_sentences
    from glean.evaluation.tables.weak_spots import better_habit

    by_habit = {habit: habit for habit in HABITS} | {"": better_habit(own.days, HABITS)}
    return {
        name: {code: owner_sentences(own, habit, language(code)) for code in LANGUAGES}
        for name, habit in by_habit.items()
    }


def _known(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 2)
