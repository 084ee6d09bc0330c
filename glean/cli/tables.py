"""The final result in the terminal: the summary of a run as a table and the lines beneath it."""

from __future__ import annotations

import math
from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from glean.evaluation.tables.headline import (
    best_possible_sentence,
    chosen_sentence,
    comparison_sentence,
    gain_sentence,
    headline,
    incomplete_sentence,
    percent,
    verdict,
)
from glean.evaluation.tables.summary import GroupScore, MethodScore, Summary


def final_result(summary: Summary, *, units_label: str) -> RenderableType:
    """Everything that `glean simulate` and `glean report` end with."""
    lines = (
        headline(summary, units_label=units_label),
        verdict(summary),
        gain_sentence(summary),
        comparison_sentence(summary.federated_or_local),
        chosen_sentence(summary.chosen_or_local),
        best_possible_sentence(summary),
        incomplete_sentence(summary),
    )
    return Group(final_table(summary, units_label=units_label), *_texts(lines))


def final_table(summary: Summary, *, units_label: str) -> Table:
    """Per method WAPE and RMSE over all bakeries, the established ones and the newcomers."""
    table = Table(title="Test days: lower is better", title_justify="left")
    table.add_column("method", no_wrap=True)
    for group in ("all", "established", "newcomers"):
        count = max((_group(s, group).bakeries for s in summary.methods), default=0)
        shown = summary.bakeries if group == "all" else count
        table.add_column(_heading(group, shown, "WAPE"), justify="right")
        table.add_column(Text(f"\nRMSE\n({units_label})"), justify="right")
    best = min((_wape(s) for s in summary.methods), default=math.inf)
    for score in summary.methods:
        table.add_row(
            Text(score.method),
            *_cells(score.everyone),
            *_cells(score.established),
            *_cells(score.newcomers),
            style="bold" if _wape(score) == best else "",
        )
    return table


def _heading(group: str, bakeries: int, metric: str) -> Text:
    return Text(f"{group}\n{metric}\n({bakeries})" if bakeries else f"{group}\n{metric}\n")


def _group(score: MethodScore, group: str) -> GroupScore:
    groups = {"established": score.established, "newcomers": score.newcomers}
    return groups.get(group, score.everyone)


def _wape(score: MethodScore) -> float:
    return math.inf if math.isnan(score.everyone.wape) else score.everyone.wape


def _cells(score: GroupScore) -> tuple[Text, Text]:
    rmse = "-" if math.isnan(score.rmse) else f"{score.rmse:.1f}"
    return Text(percent(score.wape)), Text(rmse)


def _texts(lines: Iterable[str]) -> list[Text]:
    # Text, not str: rich would read square brackets in a label as markup.
    return [Text(line) for line in lines if line]
