"""The result in plain words, for the terminal and for the report: what holds, flattering or not."""

from __future__ import annotations

import math

from glean.evaluation.tables.summary import (
    EQUAL_WITHIN,
    GroupScore,
    MethodScore,
    Summary,
)
from glean.languages.catalogues import translatable
from glean.languages.language import Language

TOLD_APART = 2.0
"""Standard deviations of the noise in a difference beyond which it says something."""

_IN_A_SENTENCE = {
    "local": translatable("alone by {error}"),
    "weekday-mean": translatable("with the mean of the last four same weekdays by {error}"),
    "last-week": translatable("with the sales of the last same weekday by {error}"),
}
_SHARED = translatable("with the shared model as it is by {error}")


def score_percent(score: GroupScore, language: Language) -> str:
    """Write a WAPE in per cent, with the standard deviation of its noise if it has any.

    Examples
    --------
    >>> from glean.languages.language import ENGLISH
    >>> score_percent(GroupScore(1, wape=0.155, rmse=math.nan, noise=0.069), ENGLISH)
    '15.5% ± 6.9%'
    """
    noise = f" ± {language.percent(score.noise)}" if score.noise else ""
    return language.percent(score.wape) + noise


def points(difference: float, language: Language) -> str:
    """Write a difference of two shares in percentage points, like "+3.2"."""
    return language.signed(100 * difference)


def of_what(units_label: str, language: Language) -> str:
    """Say what errors are a share of: "of the units sold", "of the sales in EUR"."""
    if units_label == "units":
        return language.translate("of the units sold")
    return language.translate("of the sales in {money}", money=units_label)


def units_word(units_label: str, language: Language) -> str:
    """Say what is counted: "units", or the money as its label has it."""
    return language.translate("units") if units_label == "units" else units_label


def headline(summary: Summary, language: Language, *, units_label: str) -> str:
    """One sentence with the errors of the federation and of its baselines over all bakeries."""
    federated, chosen = summary.of("federated"), _comparable(summary, "chosen")
    if federated is None:
        return language.translate("This run has no final scores of the federation.")
    baselines = _IN_A_SENTENCE if chosen is None else {"federated": _SHARED, **_IN_A_SENTENCE}
    others = [
        language.translate(words, error=score_percent(baseline.everyone, language))
        for method, words in baselines.items()
        if (baseline := _comparable(summary, method)) is not None
    ]
    first = _off_by(summary, chosen or federated, language, units_label)
    sentence = with_others(first, ", ".join(others), language) if others else f"{first}."
    return " ".join(filter(None, (sentence, noise_sentence(summary, language))))


def _off_by(summary: Summary, score: MethodScore, language: Language, units_label: str) -> str:
    told = {
        "error": score_percent(score.everyone, language),
        "share": of_what(units_label, language),
    }
    if score.method == "chosen":
        if not summary.bakeries:
            return language.translate(
                "With what each bakes by in the federation (chosen) the bakeries would have been "
                "off by {error} {share} on the test days",
                **told,
            )
        return language.translate_count(
            "With what it bakes by in the federation (chosen) the {count} bakery would have been "
            "off by {error} {share} on the test days",
            "With what each bakes by in the federation (chosen) the {count} bakeries would have "
            "been off by {error} {share} on the test days",
            summary.bakeries,
            **told,
        )
    if not summary.bakeries:
        return language.translate(
            "With the federation the bakeries would have been off by {error} {share} on the test "
            "days",
            **told,
        )
    return language.translate_count(
        "With the federation the {count} bakery would have been off by {error} {share} on the "
        "test days",
        "With the federation the {count} bakeries would have been off by {error} {share} on the "
        "test days",
        summary.bakeries,
        **told,
    )


def noise_sentence(summary: Summary, language: Language) -> str:
    """Say what ± means, and what it hides; "" where scores have no noise."""
    noise = max((score.everyone.noise for score in summary.methods), default=0.0)
    if not noise:
        return ""
    return language.translate(
        "Each is the mean over the bakeries with noise, whose standard deviation is behind the ±: "
        "differences of less than {points} percentage points say nothing. Each bakery has its own "
        "scores, without noise, at home.",
        points=language.number(100 * _margin(noise, noise)),
    )


def verdict(summary: Summary, language: Language) -> str:
    """Say whether joining pays in this run; "" where there is nothing to compare with.

    By what each bakery bakes by, where that was scored: nobody has to bake by the shared model.
    """
    federated = _comparable(summary, "federated")
    if federated is None:
        return ""
    sentences = [_joining(summary, _comparable(summary, "chosen") or federated, language)]
    better = [
        f'"{method}"'
        for method in ("weekday-mean", "last-week")
        if (baseline := _comparable(summary, method)) is not None
        and baseline.everyone.wape < federated.everyone.wape - _doubt(federated, baseline)
    ]
    if better:
        sentences.append(
            language.translate(
                "The plain habit {habits} beats the shared model here: don't bake by this model "
                "as it is.",
                habits=language.listed(better),
            )
        )
    return " ".join(filter(None, sentences))


def _joining(summary: Summary, ours: MethodScore, language: Language) -> str:
    local = _comparable(summary, "local")
    if local is None:
        return ""
    if abs(ours.everyone.wape - local.everyone.wape) < _doubt(ours, local):
        return language.translate(
            "Whether joining pays can't be told from so small a difference, with noise in it."
        )
    match _lean(ours, local):
        case -1:
            said = translatable("Taken together, the bakeries are better off with the federation.")
        case 0:
            said = translatable(
                "Taken together, joining or staying alone makes no difference to the bakeries."
            )
        case _:
            said = translatable(
                "Taken together, the bakeries are better off alone than with the federation."
            )
    return language.translate(said)


def gain_sentence(summary: Summary, language: Language) -> str:
    """Say what it gained to train an earlier model further; "" where the run started from none."""
    now, before = (_comparable(summary, method) for method in ("federated", "start-from"))
    if now is None or before is None:
        return ""
    change = now.everyone.wape - before.everyone.wape
    if abs(change) < _doubt(now, before):
        said = translatable(
            "The model that this run started from, before: {before}, now {now}: too near for the "
            "noise to say more."
        )
    else:
        said = _GAINS[_lean(now, before)]
    return language.translate(
        said,
        before=score_percent(before.everyone, language),
        now=score_percent(now.everyone, language),
        points=points(change, language),
    )


_GAINS = {
    -1: translatable(
        "The model that this run started from, before: {before}, now {now}: better ({points} "
        "percentage points)."
    ),
    0: translatable(
        "The model that this run started from, before: {before}, now {now}: about equal ({points} "
        "percentage points)."
    ),
    1: translatable(
        "The model that this run started from, before: {before}, now {now}: worse ({points} "
        "percentage points)."
    ),
}


def with_others(first: str, others: str, language: Language) -> str:
    """Say something and then what else there is."""
    return language.translate("{first}; {others}.", first=first, others=others)


def _comparable(summary: Summary, method: str) -> MethodScore | None:
    score = summary.of(method)
    if score is None or score in summary.incomplete or math.isnan(score.everyone.wape):
        return None
    return score


def _doubt(ours: MethodScore, baseline: MethodScore) -> float:
    """Give the difference of two scores below which it may be all noise; 0 without noise."""
    return _margin(ours.everyone.noise, baseline.everyone.noise)


def _margin(one: float, other: float) -> float:
    return TOLD_APART * math.hypot(one, other)


def _lean(ours: MethodScore, baseline: MethodScore) -> int:
    difference = ours.everyone.wape - baseline.everyone.wape
    if abs(difference) <= EQUAL_WITHIN * baseline.everyone.wape:
        return 0
    return -1 if difference < 0 else 1
