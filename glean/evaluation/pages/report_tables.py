"""The tables of the report: scores of the methods, of every bakery, and what the run was told."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from glean.evaluation.pages import html
from glean.evaluation.tables.headline import percent, score_percent
from glean.evaluation.tables.named_day_scores import NamedDayScore
from glean.evaluation.tables.summary import GroupScore, Summary, ordered_methods
from glean.features.definition import MIN_LEVEL_DAYS

_MOST_BAKERIES = 500
"""A longer table makes the page slow; bakeries.csv has them all."""


def summary_table(summary: Summary, *, units_label: str) -> str:
    """Per method WAPE and RMSE over all bakeries, the established ones and the newcomers."""
    heads = ["method"]
    for name in ("all", "established", "newcomers"):
        heads += [f"{name}: WAPE", f"RMSE ({units_label})"]
    rows = [
        [
            score.method,
            *_cells(score.everyone),
            *_cells(score.established),
            *_cells(score.newcomers),
        ]
        for score in summary.methods
    ]
    return html.table("Error on the test days; lower is better.", heads, rows)


def bakeries_table(scores: pd.DataFrame) -> str:
    """WAPE of every bakery by method."""
    methods = ordered_methods(scores["method"].unique().tolist())
    shares = {
        (bakery, method): share
        for bakery, method, share in zip(
            scores["bakery"], scores["method"], scores["wape"], strict=True
        )
    }
    bakeries = scores.drop_duplicates("bakery").sort_values("bakery")
    rows = [
        [
            row["bakery"],
            row["cohort"],
            _sold(row["units"], row["n_rows"]),
            *(percent(shares.get((row["bakery"], method), math.nan)) for method in methods),
        ]
        for row in bakeries.head(_MOST_BAKERIES).to_dict("records")
    ]
    caption = (
        "WAPE on the test days of every bakery, and what it sold on those that could be judged: "
        f"a product's days count once {MIN_LEVEL_DAYS} of its trading days are known."
    )
    if len(bakeries) > _MOST_BAKERIES:
        caption += f" The first {_MOST_BAKERIES} of {len(bakeries)}; bakeries.csv has them all."
    return html.table(caption, ["bakery", "cohort", "sold on judged days", *methods], rows)


def named_days_table(found: Sequence[NamedDayScore]) -> str:
    """Error on days with a name by method, all other days last; "" where no day has one."""
    if not found:
        return ""
    methods = list(found[0].wapes)
    rows = [
        [
            day.name or "all other days",
            f"{day.dates[0]:%Y-%m-%d}" if len(day.dates) == 1 else f"{len(day.dates)} days",
            f"{day.units:,.0f}",
            *(percent(day.wapes[method]) for method in methods),
        ]
        for day in found
    ]
    caption = (
        "WAPE on holidays, the days before them and the last days of the year. What each bakery "
        "makes alone is under local."
    )
    return html.table(caption, ["day", "date", "sold", *methods], rows)


def _sold(units: float, rows: float) -> str:
    """Write what was sold; a dash where the bakeries keep that to themselves."""
    if math.isnan(rows):
        return "-"
    return f"{units:,.0f}" if rows else "no judged day"


def _cells(score: GroupScore) -> tuple[str, str]:
    return score_percent(score), "-" if math.isnan(score.rmse) else f"{score.rmse:.1f}"
