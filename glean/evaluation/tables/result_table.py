"""The final result of a run on the demand, as a table with sentences beneath."""

from __future__ import annotations

import math

from glean.evaluation.tables.comparison_sentences import (
    best_possible_sentence,
    chosen_sentence,
    comparison_sentence,
    incomplete_sentence,
)
from glean.evaluation.tables.headline import (
    gain_sentence,
    headline,
    score_percent,
    units_word,
    verdict,
)
from glean.evaluation.tables.summary import GroupScore, MethodScore, Summary
from glean.federation.server.conclusion import ResultTable
from glean.languages.catalogues import translatable
from glean.languages.language import Language

GROUPS = {
    "all": translatable("all bakeries"),
    "established": translatable("established"),
    "newcomers": translatable("newcomers"),
}


def summary_result(summary: Summary, language: Language, *, units_label: str) -> ResultTable:
    """Per method WAPE and RMSE over all bakeries, the established ones and the newcomers.

    The last two stand there where there are newcomers, RMSE where any is known.
    """
    best = min((_wape(score) for score in summary.methods), default=math.inf)
    groups = shown_groups(summary)
    squared = knows_rmse(summary)
    return ResultTable(
        title=language.translate("Test days: lower is better"),
        heads=(
            language.translate("method"),
            *(
                head
                for group in groups
                for head in _heads(summary, group, units_word(units_label, language), language)[
                    : 1 + squared
                ]
            ),
        ),
        rows=tuple(
            (
                score.method,
                *(
                    cell
                    for group in groups
                    for cell in score_cells(group_of(score, group), language, squared=squared)
                ),
            )
            for score in summary.methods
        ),
        best=frozenset(i for i, score in enumerate(summary.methods) if _wape(score) == best),
        sentences=(
            headline(summary, language, units_label=units_label),
            verdict(summary, language),
            gain_sentence(summary, language),
            comparison_sentence(summary.federated_or_local, language),
            chosen_sentence(summary.chosen_or_local, language),
            best_possible_sentence(summary, language),
            incomplete_sentence(summary, language),
        ),
    )


def shown_groups(summary: Summary) -> tuple[str, ...]:
    """Name the groups that differ: where nobody is new, all are established."""
    new = any(score.newcomers.bakeries for score in summary.methods)
    return tuple(GROUPS) if new else ("all",)


def knows_rmse(summary: Summary) -> bool:
    """Whether any method's is known: with noise nobody's is."""
    return any(not math.isnan(score.everyone.rmse) for score in summary.methods)


def group_of(score: MethodScore, group: str) -> GroupScore:
    """Give a method's score over one of the `GROUPS`."""
    groups = {"established": score.established, "newcomers": score.newcomers}
    return groups.get(group, score.everyone)


def score_cells(score: GroupScore, language: Language, *, squared: bool) -> tuple[str, ...]:
    """Write WAPE, and RMSE where it is `squared` that is shown too."""
    wape = score_percent(score, language)
    return (wape, language.number(score.rmse, 1)) if squared else (wape,)


def _heads(summary: Summary, group: str, units: str, language: Language) -> tuple[str, str]:
    count = max((group_of(score, group).bakeries for score in summary.methods), default=0)
    bakeries = summary.bakeries if group == "all" else count
    counted = f"({language.number(bakeries)})" if bakeries else ""
    return f"{language.translate(GROUPS[group])}\nWAPE\n{counted}", f"\nRMSE\n({units})"


def _wape(score: MethodScore) -> float:
    return math.inf if math.isnan(score.everyone.wape) else score.everyone.wape
