"""The result in words: true to the numbers, and silent where there is nothing to say."""

from __future__ import annotations

import math

import pytest

from glean.evaluation.tables.comparison_sentences import (
    best_possible_sentence,
    chosen_sentence,
    comparison_sentence,
    incomplete_sentence,
)
from glean.evaluation.tables.headline import headline, points, verdict
from glean.evaluation.tables.summary import (
    BestPossible,
    Comparison,
    GroupScore,
    MethodScore,
    Summary,
)
from glean.languages.language import ENGLISH, NOTHING

NOBODY = GroupScore(bakeries=0, wape=math.nan, rmse=math.nan)


def summary(bakeries: int = 3, *, best: BestPossible | None = None, **wapes: float) -> Summary:
    """Summary over established bakeries; `weekday_mean` stands for "weekday-mean"."""
    scores = []
    for name, wape in wapes.items():
        group = GroupScore(bakeries=bakeries, wape=wape, rmse=1.0)
        scores.append(MethodScore(name.replace("_", "-"), group, group, NOBODY))
    return Summary(tuple(scores), bakeries, None, best)


@pytest.mark.parametrize(
    ("federated", "local", "said"),
    [
        (0.180, 0.190, "better off with the federation"),
        (0.1899, 0.190, "makes no difference"),
        (0.1901, 0.190, "makes no difference"),
        (0.200, 0.190, "better off alone"),
    ],
)
def test_the_verdict_follows_the_numbers(federated: float, local: float, said: str) -> None:
    """Joining is praised, called even or advised against by the WAPE over all bakeries."""
    assert said in verdict(summary(federated=federated, local=local), ENGLISH)


def test_what_bakeries_bake_by_says_whether_joining_pays() -> None:
    """Nobody has to bake by the shared model as it is; the sentence before names both errors."""
    found = summary(federated=0.22, chosen=0.18, local=0.2)
    assert "better off with the federation" in verdict(found, ENGLISH)
    said = headline(found, ENGLISH, units_label="units")
    assert said == (
        "With what each bakes by in the federation (chosen) the 3 bakeries would have been off by "
        "18.0% of the units sold on the test days; with the shared model as it is by 22.0%, alone "
        "by 20.0%."
    )
    worse = summary(federated=0.19, chosen=0.22, local=0.2)
    assert "better off alone" in verdict(worse, ENGLISH)


def test_noise_hides_whether_joining_pays() -> None:
    """Two standard deviations of a difference are to be told apart, as the sentence above says."""

    def verdict_of(federated: float) -> str:
        scores = tuple(
            MethodScore(name, GroupScore(1, wape, math.nan, 0.01), NOBODY, NOBODY)
            for name, wape in (("federated", federated), ("local", 0.2))
        )
        return verdict(Summary(scores, 0, None, None), ENGLISH)

    assert "can't be told" in verdict_of(0.18)
    assert "better off with the federation" in verdict_of(0.16)


def test_a_habit_that_wins_is_named() -> None:
    """A model that a plain baseline beats isn't recommended, even where it beats local."""
    found = verdict(summary(federated=0.2, local=0.3, weekday_mean=0.19, last_week=0.21), ENGLISH)
    assert 'The plain habit "weekday-mean" beats the shared model here' in found
    assert "last-week" not in found


def test_the_headline_names_units_and_rivals() -> None:
    """Money isn't called units, and a baseline that wasn't run isn't mentioned."""
    found = headline(summary(12, federated=0.1, weekday_mean=0.2), ENGLISH, units_label="EUR")
    assert found == (
        "With the federation the 12 bakeries would have been off by 10.0% of the sales in EUR on "
        "the test days; with the mean of the last four same weekdays by 20.0%."
    )


def test_a_rival_with_fewer_bakeries_is_not_compared() -> None:
    """Totals over other bakeries don't compare: left out of the sentences, and said why."""
    full = summary(5, federated=0.2)
    partly = summary(4, local=0.1)
    both = Summary(full.methods + partly.methods, 5, None, None)
    assert "alone" not in headline(both, ENGLISH, units_label="units")
    assert verdict(both, ENGLISH) == ""
    assert incomplete_sentence(both, ENGLISH) == (
        "Not every method has a forecast for every bakery: local only 4 bakeries."
    )


def test_nothing_known_says_nothing() -> None:
    """Without scores, baselines or the truth there are no sentences about them."""
    nothing = summary(federated=math.nan, local=math.nan)
    assert verdict(nothing, ENGLISH) == ""
    assert comparison_sentence(None, ENGLISH) == ""
    assert best_possible_sentence(nothing, ENGLISH) == ""
    assert incomplete_sentence(nothing, ENGLISH) == ""
    assert headline(summary(local=0.2), ENGLISH, units_label="units") == (
        "This run has no final scores of the federation."
    )


def test_the_distance_to_the_best_possible_is_in_points() -> None:
    """Distances are differences of shares, in percentage points, with their sign."""
    best = BestPossible(wape=0.141, distance={"federated": 0.032, "pooled": -0.001})
    found = best_possible_sentence(summary(federated=0.173, best=best), ENGLISH)
    assert "is off by 14.1%" in found
    assert found.endswith("federated +3.2, pooled -0.1.")


def test_counts_of_the_comparison() -> None:
    """All three counts are given, and one bakery is a bakery."""
    assert comparison_sentence(Comparison(better=0, equal=0, worse=1), ENGLISH) == (
        "Better off with the shared model than alone: 0 of 1 bakery (0 about equal, within 1%; "
        "1 worse off)."
    )


def test_who_does_no_worse_by_its_choice_is_counted() -> None:
    """Better and about equal together; silent where nothing was chosen."""
    found = chosen_sentence(Comparison(better=5, equal=3, worse=2), ENGLISH)
    assert found.endswith("as good as alone or better: 8 of 10 bakeries (3 about equal).")
    assert chosen_sentence(None, ENGLISH) == ""


def test_shares_are_written_for_people() -> None:
    """One decimal, a sign for differences, a dash for nothing."""
    assert points(0.0324, ENGLISH) == "+3.2"
    assert [ENGLISH.percent(share) for share in (0.1824, math.nan)] == ["18.2%", NOTHING]
