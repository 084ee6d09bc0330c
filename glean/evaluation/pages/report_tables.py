"""The tables of the report: scores of the methods, of every bakery, and of days with a name."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from glean.evaluation.pages import html
from glean.evaluation.tables.headline import units_word
from glean.evaluation.tables.named_day_scores import NamedDayScore
from glean.evaluation.tables.result_table import (
    GROUPS,
    group_of,
    knows_rmse,
    score_cells,
    shown_groups,
)
from glean.evaluation.tables.summary import ALL_BAKERIES, Summary, ordered_methods
from glean.features.definition import MIN_LEVEL_DAYS
from glean.languages.catalogues import translatable
from glean.languages.language import Language

_MOST_BAKERIES = 500
"""A longer table makes the page slow; bakeries.csv has them all."""


def summary_table(summary: Summary, language: Language, *, units_label: str) -> str:
    """Per method WAPE and RMSE over all bakeries, and where some are new over both kinds."""
    groups, squared = shown_groups(summary), knows_rmse(summary)
    units = units_word(units_label, language)
    heads = [language.translate("method")]
    for group in groups:
        name = language.translate(GROUPS[group])
        heads += [f"{name}: WAPE", f"RMSE ({units})"][: 1 + squared]
    rows = [
        [
            score.method,
            *(
                cell
                for group in groups
                for cell in score_cells(group_of(score, group), language, squared=squared)
            ),
        ]
        for score in summary.methods
    ]
    caption = language.translate("Error on the test days; lower is better.")
    return html.table(caption, heads, rows)


def bakeries_table(scores: pd.DataFrame, language: Language) -> str:
    """WAPE of every bakery by method; "" where the bakeries keep that to themselves."""
    scores = scores[scores["bakery"] != ALL_BAKERIES]
    if scores.empty:
        return ""
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
            bakery_name(row["bakery"], language, new=row["cohort"] == "newcomer"),
            _sold(row["units"], row["n_rows"], language),
            *(
                language.percent(shares.get((row["bakery"], method), math.nan))
                for method in methods
            ),
        ]
        for row in bakeries.head(_MOST_BAKERIES).to_dict("records")
    ]
    caption = language.translate(
        "WAPE on the test days of every bakery, and what it sold on those that could be judged: "
        "a product's days count once {days} of its trading days are known.",
        days=language.number(MIN_LEVEL_DAYS),
    )
    if len(bakeries) > _MOST_BAKERIES:
        first = language.translate(
            "The first {shown} of {all}; bakeries.csv has them all.",
            shown=language.number(_MOST_BAKERIES),
            all=language.number(len(bakeries)),
        )
        caption += f" {first}"
    heads = (language.translate("bakery"), language.translate("sold on judged days"))
    return html.table(caption, [*heads, *methods], rows)


def bakery_name(name: str, language: Language, *, new: bool) -> str:
    """Write a bakery's name, and whether it is new."""
    return language.translate("{bakery} (newcomer)", bakery=name) if new else name


def named_days_table(found: Sequence[NamedDayScore], language: Language) -> str:
    """Error on days with a name by method, all other days last; "" where no day has one."""
    if not found:
        return ""
    methods = list(found[0].wapes)
    rows = [
        [
            day.name or language.translate("all other days"),
            language.day(f"{day.dates[0]:%Y-%m-%d}")
            if len(day.dates) == 1
            else language.translate_count("{count} day", "{count} days", len(day.dates)),
            language.number(day.units),
            *(language.percent(day.wapes[method]) for method in methods),
        ]
        for day in found
    ]
    caption = language.translate(
        "WAPE on holidays, the days before them and the last days of the year. What each bakery "
        "makes alone is under local."
    )
    heads = [language.translate(word) for word in _NAMED_DAY_HEADS]
    return html.table(caption, [*heads, *methods], rows)


_NAMED_DAY_HEADS = (translatable("day"), translatable("date"), translatable("sold"))


def _sold(units: float, rows: float, language: Language) -> str:
    if math.isnan(rows):
        return language.number(None)
    return language.number(units) if rows else language.translate("no judged day")
