"""How a bakery's own log says what leaves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from glean.demand.error_parts import ERROR_COUNTS, MOMENTS
from glean.federation.workload.protocols import Wording
from glean.metrics import ErrorSums


class DemandWording(Wording):
    """A bakery's words for its sales."""

    def of_info(self, trains: bool, facts: Mapping[str, Any]) -> str:
        """Say what the facts of a bakery's first answer tell."""
        enough = "enough" if trains else "too few"
        long = "long enough" if facts.get("knows_season") else "too short"
        return (
            f"that there are {enough} trading days to learn from and that they are {long} a time "
            "to learn the season from"
        )

    def of_sums(self, values: Sequence[float]) -> str:
        """Say what sums over the validation window tell."""
        sums = ErrorSums(*values)
        numbers = ", ".join(f"{value:,.6g}" for value in values[2:])
        return (
            f"sums over the validation window: {sums.rows:,.0f} forecasts, {sums.units:,.6g} units "
            f"sold in all, and {len(values) - 2} sums of their errors ({numbers})"
        )

    def of_final_rows(self, rows: Sequence[Mapping[str, Any]]) -> str:
        """Say what rows of `bakeries.csv` tell."""
        first = rows[0]
        errors = ", ".join(f"{row['method']} {row['abs_error']:,.6g}" for row in rows)
        return (
            f"totals of the test window: {first['n_days']} days, {first['n_rows']} forecasts, "
            f"{first['units']:,.6g} units sold in all, each method's error in units ({errors}) and "
            "the measures of accuracy made of it"
        )


WORDING = DemandWording(
    kept="sales rows, days, products, levels, file names as such",
    parts={
        MOMENTS: "five sums of forecasts and of errors over its validation window",
        ERROR_COUNTS: "how many errors of its validation window are how large, in public steps",
    },
)

PURPOSE = (
    "To forecast what one bakery sells of a product in the coming days, as a start for its bake "
    "plan, which somebody who knows the shop looks over. Not for other trades, not to compare "
    "bakeries or people, and not as the only word on a day like none before."
)
"""What a model is for."""
