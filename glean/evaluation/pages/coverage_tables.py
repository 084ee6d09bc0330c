"""Tables of the report on how sure forecasts were, and on what each bakery chose."""

from __future__ import annotations

import numpy as np
import pandas as pd

from glean.evaluation.pages import html
from glean.evaluation.tables.choices import reason_of
from glean.evaluation.tables.coverage import INTERVALS, PIT_BINS
from glean.languages.language import Language

_MOST_BAKERIES = 500


def coverage_sentence(coverage: pd.DataFrame | None, language: Language) -> str:
    """Say how often the intervals held over all bakeries; "" where that isn't known."""
    if coverage is None or coverage["rows"].sum() == 0:
        return ""
    parts = [
        language.translate(
            "{share} of the days inside the {interval} interval",
            share=language.percent(_mean(coverage, f"coverage_{interval}")),
            interval=language.percent(interval / 100, 0),
        )
        for interval in INTERVALS
    ]
    return language.translate("How sure: {them}.", them=language.listed(parts))


def coverage_table(coverage: pd.DataFrame, language: Language) -> str:
    """Coverage and width of the intervals, a row a bakery; and beneath how they lay."""
    heads = [language.translate("bakery"), language.translate("days")]
    for interval in INTERVALS:
        heads += [
            language.translate("in {interval}", interval=language.percent(interval / 100, 0)),
            language.translate("standard error"),
            language.translate("width, of sales"),
        ]
    rows = [
        [
            str(row["bakery"]),
            language.number(row["days"]),
            *(
                language.percent(float(row[f"{what}_{interval}"]))
                for interval in INTERVALS
                for what in ("coverage", "error", "width")
            ),
        ]
        for row in coverage.head(_MOST_BAKERIES).to_dict("records")
    ]
    caption = language.translate("How often the intervals held on the test days, and how wide.")
    return html.table(caption, heads, rows) + html.paragraph(_tenths(coverage, language))


def selection_table(choices: pd.DataFrame, language: Language) -> str:
    """Say what each bakery bakes by, and why."""
    rows = [
        [str(row["bakery"]), reason_of({str(k): v for k, v in row.items()}, language)]
        for row in choices.to_dict("records")
    ]
    return html.table(
        language.translate("What each bakery bakes by, chosen on its validation days."),
        [language.translate("bakery"), language.translate("choice")],
        rows,
    )


def _tenths(coverage: pd.DataFrame, language: Language) -> str:
    """Say how evenly sales lay in the forecast distribution: the PIT, in ten tenths."""
    if coverage["rows"].sum() == 0:
        return ""
    shares = [_mean(coverage, f"pit_{k}") for k in range(1, PIT_BINS + 1)]
    return language.translate(
        "Each forecast says how likely every number of units is; cut into ten parts that are "
        "equally likely, from few units to many, what was sold should lie in each of them a tenth "
        "of the time. It did so {shares} of the time (the probability integral transform, PIT). "
        "More in the outer parts: ranges are too narrow; more in the middle: too wide; more in the "
        "last ones: too little is forecast.",
        shares=", ".join(language.percent(share, 0) for share in shares),
    )


def _mean(coverage: pd.DataFrame, column: str) -> float:
    rows = coverage["rows"].to_numpy(dtype=np.float64)
    return float(coverage[column].fillna(0.0).to_numpy(dtype=np.float64) @ rows / rows.sum())
