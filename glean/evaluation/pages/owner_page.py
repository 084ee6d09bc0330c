"""The owner's page: one bakery's results in plain words, `bakery-NAME.html` in a run's folder.

What would have been thrown away and missed under a habit and with the plan, in units and money;
where the forecast is weak; what joining gives; and what left the shop to get it. From a deployment
the same is written from the bakery's home, whose tables never left it.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from glean.errors import GleanError
from glean.evaluation.figures.plan_curve import savings_sentences
from glean.evaluation.pages import html
from glean.evaluation.tables.headline import percent
from glean.evaluation.tables.plan_backtest import savings
from glean.evaluation.tables.results import RunResults, read_results
from glean.metrics import wape
from glean.runs.folder import write_whole

SHOWN_METHODS = {
    "weekday-mean": "your habit: the mean of the last four same weekdays",
    "local": "a forecast of your own sales alone",
    "federated": "the federation's forecast as it is",
    "chosen": "the forecast you would bake by in the federation",
}
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DAYS_A_MONTH = 30.4


def write_owner_page(run_folder: Path, bakery: str) -> Path:
    """Write the page of one bakery.

    Returns
    -------
    Path
        `bakery-NAME.html` in the run's folder.

    Raises
    ------
    GleanError
        The run has no such bakery, or no single days (it was run without baselines, or each bakery
        keeps its own at home).
    """
    results = read_results(run_folder)
    path = run_folder / f"bakery-{re.sub(r'[^0-9A-Za-z]+', '-', bakery).strip('-') or 'one'}.html"
    write_whole(path, owner_page(results, bakery).encode("utf-8"))
    return path


def owner_page(results: RunResults, bakery: str) -> str:
    """Make the page's HTML; raises as `write_owner_page`."""
    days, plans = _own(results.days, bakery), _own(results.plans, bakery)
    if days is None or plans is None:
        raise GleanError(
            f"{results.run.folder}: no single days and plans of {bakery!r}; wanted a simulation "
            f"with baselines that had it. Its bakeries: {', '.join(_names(results)[:20]) or 'none'}"
        )
    label, local = results.units_label, _own(results.alone, bakery)
    return html.whole_page(
        f"{bakery}: what joining brings",
        [
            html.paragraph(_gain(days, label), kind="headline"),
            html.section(
                "Thrown away and missed", [_plans_table(plans, local, label), *_savings(plans)]
            ),
            html.section("How far off", [_methods_table(days)]),
            html.section("Where the forecast is weak", [_weak(days)]),
            html.section("What you would bake by", [html.paragraph(_reason(results, bakery))]),
            html.section("What left your shop", [html.bullets(LEFT), html.paragraph(STAYED)]),
        ],
    )


LEFT = (
    "your bakery's name and the version of the program",
    "trees or weights: at which public limits the forecast turns, relative to your own level",
    "how much you weigh in the training, rounded to two digits",
    "sums over whole windows: units sold and errors of the forecasts",
)
STAYED = (
    "What stayed: every row, day, product, price and level. A simulation, of which this may be a "
    "report, plays all bakeries on one machine, and nothing leaves it."
)


def _own(table: pd.DataFrame | None, bakery: str) -> pd.DataFrame | None:
    own = None if table is None else table[table["bakery"] == bakery]
    return None if own is None or own.empty else own


def _names(results: RunResults) -> list[str]:
    return [] if results.days is None else sorted(results.days["bakery"].unique().tolist())


def _gain(days: pd.DataFrame, label: str) -> str:
    errors = {m: float((days[m] - days["units"]).abs().sum()) for m in SHOWN_METHODS}
    span = max(int((days["date"].max() - days["date"].min()).days) + 1, 1)
    months = span / _DAYS_A_MONTH
    parts = []
    for baseline, words in (
        ("weekday-mean", "your habit"),
        ("local", "a forecast of your own alone"),
    ):
        saved = (errors[baseline] - errors["chosen"]) / months
        verb = "less" if saved >= 0 else "more"
        parts.append(f"{abs(saved):,.0f} {label} {verb} than with {words}")
    return f"In the federation you would be off by {' and '.join(parts)}, a month."


def _plans_table(plans: pd.DataFrame, local: pd.DataFrame | None, label: str) -> str:
    baselines = plans[plans["policy"] != "plan"]
    sums = baselines.groupby(["policy", "margin"])[["overproduced", "unmet"]].sum().reset_index()
    # NaN where no product has a price: pandas would call that 0.
    costs = baselines.groupby(["policy", "margin"])["cost"].sum(min_count=1).to_numpy()
    equal = savings(plans)["plan_overproduced"]
    by_oneself = equal * np.nan if local is None else _local_overproduced(baselines, local)
    units = float(baselines.groupby(["policy", "margin"])["units"].sum().iloc[0])
    rows = [
        [
            f"{policy}, {margin:+.0%}",
            f"{over:,.0f}",
            f"{unmet:,.0f}",
            "-" if pd.isna(cost) else f"{cost:,.2f}",
            *("-" if pd.isna(share) else f"{share * units:,.0f}" for share in shares),
        ]
        for policy, margin, over, unmet, cost, *shares in zip(
            sums["policy"],
            sums["margin"],
            sums["overproduced"],
            sums["unmet"],
            costs,
            by_oneself,
            equal,
            strict=True,
        )
    ]
    heads = [
        "habit, margin",
        f"thrown away ({label})",
        f"missed ({label})",
        "cost of both (money)",
        f"a plan of your own alone throws away, missing as much ({label})",
        f"the plan in the federation throws away, missing as much ({label})",
    ]
    return html.table("Over the test days, all products together.", heads, rows)


def _local_overproduced(baselines: pd.DataFrame, local: pd.DataFrame) -> pd.Series[float]:
    """Share that the local plan throws away, missing as much as each baseline."""
    found: pd.Series[float] = savings(pd.concat([baselines, local.assign(policy="plan")]))[
        "plan_overproduced"
    ]
    return found


def _savings(plans: pd.DataFrame) -> list[str]:
    return [html.paragraph(sentence) for sentence in savings_sentences(plans)]


def _methods_table(days: pd.DataFrame) -> str:
    rows = [
        [words, percent(wape(days["units"], days[method]))]
        for method, words in SHOWN_METHODS.items()
    ]
    return html.table(
        "Errors over the test days, as a share of what was sold.", ["", "off by"], rows
    )


def _weak(days: pd.DataFrame) -> str:
    by_product = days.groupby("product")
    by_day = days.groupby(days["date"].dt.day_of_week)
    rows = [
        [str(name), percent(wape(rows["units"], rows["chosen"])), _bias(rows)]
        for name, rows in by_product
    ] + [
        [_WEEKDAYS[int(str(day))], percent(wape(rows["units"], rows["chosen"])), _bias(rows)]
        for day, rows in by_day
    ]
    return html.table(
        "By product and by weekday; above zero is too much.", ["", "off by", "bias"], rows
    )


def _bias(rows: pd.DataFrame) -> str:
    units = float(rows["units"].sum())
    return "-" if units <= 0 else f"{float((rows['chosen'] - rows['units']).sum()) / units:+.1%}"


def _reason(results: RunResults, bakery: str) -> str:
    own = _own(results.choices, bakery)
    return "" if own is None else str(own["reason"].iloc[0])
