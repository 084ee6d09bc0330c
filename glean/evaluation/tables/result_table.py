"""The final result of a run on the demand, as a table with sentences beneath."""

from __future__ import annotations

import math

from glean.evaluation.tables.headline import (
    best_possible_sentence,
    chosen_sentence,
    comparison_sentence,
    gain_sentence,
    headline,
    incomplete_sentence,
    score_percent,
    verdict,
)
from glean.evaluation.tables.summary import GroupScore, MethodScore, Summary
from glean.federation.server.conclusion import ResultTable

GROUPS = ("all", "established", "newcomers")


def summary_result(summary: Summary, *, units_label: str) -> ResultTable:
    """Per method WAPE and RMSE over all bakeries, the established ones and the newcomers."""
    best = min((_wape(score) for score in summary.methods), default=math.inf)
    return ResultTable(
        title="Test days: lower is better",
        heads=("method", *(h for group in GROUPS for h in _heads(summary, group, units_label))),
        rows=tuple(_row(score) for score in summary.methods),
        best=frozenset(i for i, score in enumerate(summary.methods) if _wape(score) == best),
        sentences=(
            headline(summary, units_label=units_label),
            verdict(summary),
            gain_sentence(summary),
            comparison_sentence(summary.federated_or_local),
            chosen_sentence(summary.chosen_or_local),
            best_possible_sentence(summary),
            incomplete_sentence(summary),
        ),
    )


def _heads(summary: Summary, group: str, units_label: str) -> tuple[str, str]:
    count = max((_group(score, group).bakeries for score in summary.methods), default=0)
    bakeries = summary.bakeries if group == "all" else count
    shown = f"{group}\nWAPE\n({bakeries})" if bakeries else f"{group}\nWAPE\n"
    return shown, f"\nRMSE\n({units_label})"


def _row(score: MethodScore) -> tuple[str, ...]:
    cells = (cell for group in GROUPS for cell in _cells(_group(score, group)))
    return score.method, *cells


def _group(score: MethodScore, group: str) -> GroupScore:
    groups = {"established": score.established, "newcomers": score.newcomers}
    return groups.get(group, score.everyone)


def _wape(score: MethodScore) -> float:
    return math.inf if math.isnan(score.everyone.wape) else score.everyone.wape


def _cells(score: GroupScore) -> tuple[str, str]:
    return score_percent(score), "-" if math.isnan(score.rmse) else f"{score.rmse:.1f}"
