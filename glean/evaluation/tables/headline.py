"""The result in plain words, for the terminal and for the report: what holds, flattering or not."""

from __future__ import annotations

import math

from glean.evaluation.tables.summary import (
    EQUAL_WITHIN,
    Comparison,
    GroupScore,
    MethodScore,
    Summary,
)

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

MEANINGS = {
    "federated": "the model that the bakeries trained together without showing each other sales",
    "start-from": "the model that this run went on from, before it learned from the newer rows",
    "personalised": "the federation's model, refined by each bakery on its own sales",
    "chosen": "what each bakery bakes by: the method or mix that its own validation days chose",
    "local": "the same kind of model, trained by each bakery alone on its own sales",
    "pooled": "one model trained on everyone's sales in one place, which only a simulation can do",
    "weekday-mean": "the mean of the last four same weekdays",
    "last-week": "what was sold on the same weekday last time",
}
"""Method -> what it is, as half a sentence."""

TOLD_APART = 2.0
"""Standard deviations of the noise in a difference beyond which it says something."""

_IN_A_SENTENCE = {
    "local": "alone",
    "weekday-mean": "with the mean of the last four same weekdays",
    "last-week": "with the sales of the last same weekday",
}


def percent(share: float) -> str:
    """Write a share as "18.2%", and a dash where there is none."""
    return "-" if math.isnan(share) else f"{100 * share:.1f}%"


def score_percent(score: GroupScore) -> str:
    """Write a WAPE as `percent` does, with the standard deviation of its noise if it has any.

    Examples
    --------
    >>> score_percent(GroupScore(1, wape=0.155, rmse=math.nan, noise=0.069))
    '15.5% ± 6.9%'
    """
    return percent(score.wape) + (f" ± {percent(score.noise)}" if score.noise else "")


def points(difference: float) -> str:
    """Write a difference of two shares in percentage points, like "+3.2"."""
    return f"{100 * difference:+.1f}"


def of_what(units_label: str) -> str:
    """Say what errors are a share of: "of the units sold", "of the sales in EUR"."""
    return "of the units sold" if units_label == "units" else f"of the sales in {units_label}"


def headline(summary: Summary, *, units_label: str) -> str:
    """One sentence with the errors of the federation and of its baselines over all bakeries."""
    federated = summary.of("federated")
    if federated is None:
        return "This run has no final scores of the federation."
    who = "bakeries" if summary.bakeries == 0 else _count(summary.bakeries)
    first = (
        f"With the federation the {who} would have been off by "
        f"{score_percent(federated.everyone)} {of_what(units_label)} on the test days"
    )
    baselines = [
        f"{words} by {score_percent(baseline.everyone)}"
        for method, words in _IN_A_SENTENCE.items()
        if (baseline := _comparable(summary, method)) is not None
    ]
    sentence = "; ".join([first, ", ".join(baselines)] if baselines else [first]) + "."
    return " ".join(filter(None, (sentence, noise_sentence(summary))))


def noise_sentence(summary: Summary) -> str:
    """Say what ± means, and what it hides; "" where scores have no noise."""
    noise = max((score.everyone.noise for score in summary.methods), default=0.0)
    if not noise:
        return ""
    return (
        "Each is the mean over the bakeries with noise, whose standard deviation is behind the ±: "
        f"differences of less than {100 * _margin(noise, noise):.0f} percentage points say nothing."
        " Each bakery has its own scores, without noise, at home."
    )


def verdict(summary: Summary) -> str:
    """Say whether joining pays in this run; "" where there is nothing to compare with."""
    federated = _comparable(summary, "federated")
    if federated is None:
        return ""
    sentences = []
    if (local := _comparable(summary, "local")) is not None:
        match _lean(federated, local):
            case -1:
                sentences.append("Taken together, the bakeries are better off with the federation.")
            case 0:
                sentences.append(
                    "Taken together, joining or staying alone makes no difference to the bakeries."
                )
            case _:
                sentences.append(
                    "Taken together, the bakeries are better off alone than with the federation."
                )
    better_baselines = [
        f'"{baseline_method}"'
        for baseline_method in ("weekday-mean", "last-week")
        if (baseline := _comparable(summary, baseline_method)) is not None
        and baseline.everyone.wape < federated.everyone.wape - _doubt(federated, baseline)
    ]
    if better_baselines:
        sentences.append(
            f"The plain habit {' and '.join(better_baselines)} beats the federation here: "
            "don't bake by this model."
        )
    return " ".join(sentences)


def gain_sentence(summary: Summary) -> str:
    """Say what it gained to train an earlier model further; "" where the run started from none."""
    now, before = (_comparable(summary, method) for method in ("federated", "start-from"))
    if now is None or before is None:
        return ""
    change = now.everyone.wape - before.everyone.wape
    if abs(change) < _doubt(now, before):
        return (
            "The model that this run started from, before: "
            f"{score_percent(before.everyone)}, now {score_percent(now.everyone)}: too near for "
            "the noise to say more."
        )
    judged = {-1: "better", 0: "about equal", 1: "worse"}[_lean(now, before)]
    return (
        f"The model that this run started from, before: {percent(before.everyone.wape)}, now "
        f"{percent(now.everyone.wape)}: {judged} ({points(change)} percentage points)."
    )


def comparison_sentence(comparison: Comparison | None) -> str:
    """How many bakeries are better off; "" where that can't be said."""
    if comparison is None:
        return ""
    return (
        f"Better off in the federation than alone: {comparison.better} of "
        f"{_noun(comparison.bakeries)} ({comparison.equal} about equal, within "
        f"{EQUAL_WITHIN:.0%}; {comparison.worse} worse off)."
    )


def chosen_sentence(comparison: Comparison | None) -> str:
    """How many bakeries do no worse by what they chose than alone; "" where that can't be said."""
    if comparison is None:
        return ""
    return (
        "With the forecast that each bakery chose on its validation days, as good as alone or "
        f"better: {comparison.better + comparison.equal} of {_noun(comparison.bakeries)} "
        f"({comparison.equal} about equal)."
    )


def best_possible_sentence(summary: Summary) -> str:
    """How far the methods are from the best possible forecast; "" where it isn't known."""
    best = summary.best_possible
    if best is None:
        return ""
    start = (
        "The best possible forecast, which knows the true expected demand of the synthetic "
        f"bakeries, is off by {percent(best.wape)}"
    )
    distances = [
        f"{method} {points(distance)}"
        for method, distance in best.distance.items()
        if not math.isnan(distance)
    ]
    if not distances:
        return start + "."
    return f"{start}; distance in percentage points: {', '.join(distances)}."


def incomplete_sentence(summary: Summary) -> str:
    """Which methods don't cover every bakery; "" where all do."""
    if not summary.incomplete:
        return ""
    parts = [f"{s.method} only {_noun(s.everyone.bakeries)}" for s in summary.incomplete]
    return f"Not every method has a forecast for every bakery: {', '.join(parts)}."


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


def _count(bakeries: int) -> str:
    number = _NUMBERS[bakeries] if bakeries < len(_NUMBERS) else str(bakeries)
    return f"{number} {'bakery' if bakeries == 1 else 'bakeries'}"


def _noun(bakeries: int) -> str:
    return f"{bakeries} {'bakery' if bakeries == 1 else 'bakeries'}"
