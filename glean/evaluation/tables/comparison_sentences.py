"""How bakeries and methods compare, in sentences: who gains, what is possible, what is missing."""

from __future__ import annotations

import math

from glean.evaluation.tables.headline import points, with_others
from glean.evaluation.tables.summary import EQUAL_WITHIN, Comparison, Summary
from glean.languages.language import Language


def comparison_sentence(comparison: Comparison | None, language: Language) -> str:
    """How many bakeries are better off; "" where that can't be said."""
    if comparison is None:
        return ""
    return language.translate_count(
        "Better off with the shared model than alone: {better} of {count} bakery ({equal} about "
        "equal, within {within}; {worse} worse off).",
        "Better off with the shared model than alone: {better} of {count} bakeries ({equal} about "
        "equal, within {within}; {worse} worse off).",
        comparison.bakeries,
        better=language.number(comparison.better),
        equal=language.number(comparison.equal),
        worse=language.number(comparison.worse),
        within=language.percent(EQUAL_WITHIN, 0),
    )


def chosen_sentence(comparison: Comparison | None, language: Language) -> str:
    """How many bakeries do no worse by what they chose than alone; "" where that can't be said."""
    if comparison is None:
        return ""
    return language.translate_count(
        "With the forecast that it chose on its validation days, as good as alone or better: "
        "{good} of {count} bakery ({equal} about equal).",
        "With the forecast that each bakery chose on its validation days, as good as alone or "
        "better: {good} of {count} bakeries ({equal} about equal).",
        comparison.bakeries,
        good=language.number(comparison.better + comparison.equal),
        equal=language.number(comparison.equal),
    )


def best_possible_sentence(summary: Summary, language: Language) -> str:
    """How far the methods are from the best possible forecast; "" where it isn't known."""
    best = summary.best_possible
    if best is None:
        return ""
    start = language.translate(
        "The best possible forecast, which knows the true expected demand of the synthetic "
        "bakeries, is off by {error}",
        error=language.percent(best.wape),
    )
    distances = [
        f"{method} {points(distance, language)}"
        for method, distance in best.distance.items()
        if not math.isnan(distance)
    ]
    if not distances:
        return start + "."
    distance = language.translate(
        "distance in percentage points: {them}", them=", ".join(distances)
    )
    return with_others(start, distance, language)


def incomplete_sentence(summary: Summary, language: Language) -> str:
    """Which methods don't cover every bakery; "" where all do."""
    if not summary.incomplete:
        return ""
    parts = [
        language.translate_count(
            "{method} only {count} bakery",
            "{method} only {count} bakeries",
            score.everyone.bakeries,
            method=score.method,
        )
        for score in summary.incomplete
    ]
    return language.translate(
        "Not every method has a forecast for every bakery: {them}.", them=", ".join(parts)
    )
