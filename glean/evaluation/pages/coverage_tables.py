"""Tables of the report on how sure forecasts were, and on what each bakery chose."""

from __future__ import annotations

import numpy as np
import pandas as pd

from glean.evaluation.pages import html
from glean.evaluation.tables.coverage import INTERVALS, PIT_BINS
from glean.evaluation.tables.headline import percent

_MOST_BAKERIES = 500


def coverage_sentence(coverage: pd.DataFrame | None) -> str:
    """Say how often the intervals held over all bakeries; "" where that isn't known."""
    if coverage is None or coverage["rows"].sum() == 0:
        return ""
    parts = [
        f"{percent(_mean(coverage, f'coverage_{interval}'))} of the days inside the "
        f"{interval}% interval"
        for interval in INTERVALS
    ]
    shares = [_mean(coverage, f"pit_{k}") for k in range(1, PIT_BINS + 1)]
    return (
        f"How sure: {' and '.join(parts)}. In the ten tenths of the forecast distribution lay "
        f"{', '.join(percent(share) for share in shares)} of what was sold (10% each is right)."
    )


def coverage_table(coverage: pd.DataFrame) -> str:
    """Coverage and width of the intervals, a row a bakery."""
    heads = ["bakery", "days"]
    for interval in INTERVALS:
        heads += [f"in {interval}%", "standard error", "width of sales"]
    rows = [
        [
            str(row["bakery"]),
            f"{row['days']:.0f}",
            *(
                percent(float(row[f"{what}_{interval}"]))
                for interval in INTERVALS
                for what in ("coverage", "error", "width")
            ),
        ]
        for row in coverage.head(_MOST_BAKERIES).to_dict("records")
    ]
    return html.table("How often the intervals held on the test days, and how wide.", heads, rows)


def selection_table(choices: pd.DataFrame) -> str:
    """Say what each bakery bakes by, and why."""
    rows = [[str(row["bakery"]), str(row["reason"])] for row in choices.to_dict("records")]
    return html.table(
        "What each bakery bakes by, chosen on its validation days.", ["bakery", "choice"], rows
    )


def _mean(coverage: pd.DataFrame, column: str) -> float:
    rows = coverage["rows"].to_numpy(dtype=np.float64)
    return float(coverage[column].fillna(0.0).to_numpy(dtype=np.float64) @ rows / rows.sum())
