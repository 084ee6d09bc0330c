"""By how much a round made the model worse, and which rounds can be the best."""

from __future__ import annotations

import math
import statistics

import pytest

from glean.federation.coordination.global_model import TreeModel
from glean.federation.server.round_scores import RoundScore
from glean.federation.server.setbacks import primaries, setback
from glean.federation.server.training_state import Best, TrainingState
from glean.metric_sums import ALL_CLIENTS
from glean.metrics import ErrorSums
from tests.matrices import random_forest

HONEST = ["bakery 0", "bakery 1", "bakery 2"]
FIVE = [*HONEST, "x", "y"]
FIRST, SECOND = (TreeModel.of(random_forest(trees)) for trees in (1, 2))


def told(wapes: dict[str, float], rows: float = 90.0) -> dict[str, ErrorSums]:
    return {name: ErrorSums(rows, units=1.0, abs_error=wape) for name, wape in wapes.items()}


def of(wapes: dict[str, float], rows: float = 90.0) -> dict[tuple[str, int], float]:
    return dict(primaries(told(wapes, rows)))


def test_forged_praise_moves_no_median() -> None:
    """Two of five that say what they like decide nothing."""
    before = of(dict.fromkeys(FIVE, 0.2))
    praised = of({**dict.fromkeys(HONEST, 0.3), "x": 0.0, "y": 0.0})
    assert setback(before, praised) == pytest.approx(0.5)
    damned = of({**dict.fromkeys(HONEST, 0.2), "x": 9.0, "y": 9.0})
    assert setback(before, damned) == 0.0
    assert setback({}, before) == setback(before, {}) == 0.0


def test_sums_over_other_bakeries_are_not_compared() -> None:
    """One that left takes its days with it: that isn't a worse model."""
    before = of({ALL_CLIENTS: 0.2}, rows=900.0)
    assert setback(before, of({ALL_CLIENTS: 0.4}, rows=900.0)) == pytest.approx(1.0)
    assert setback(before, of({ALL_CLIENTS: 0.4}, rows=800.0)) == 0.0


@pytest.mark.parametrize(
    ("metrics", "best"),
    [
        ([math.inf, math.inf], Best(0, math.inf)),
        ([0.2, math.inf], Best(1, 0.2)),
        ([math.inf, 0.3], Best(2, 0.3)),
        ([0.2, None, math.inf], Best(2, 0.2)),
        ([0.2, math.nan], Best(1, 0.2)),
    ],
)
def test_a_round_whose_scores_can_not_be_never_is_the_best(
    metrics: list[float | None], best: Best
) -> None:
    """Unlike one that nobody was to score, or one of a model that can't forecast."""
    assert Best.of(enumerate(metrics, start=1)) == best


def test_a_round_that_is_given_up_without_a_score_leaves_the_best() -> None:
    """Nothing was learned in it; once it is scored its model counts like any other."""
    before = TrainingState(3, SECOND, Best(1, 0.2), FIRST, b"")
    unscored = before.given_up(4, None, strategy_state=b"", scores={})
    assert (unscored.best, unscored.best_model) == (before.best, FIRST)
    assert (unscored.number, unscored.model, unscored.lost) == (4, SECOND, 1)
    scored = unscored.given_up(5, 0.1, strategy_state=b"", scores={})
    assert (scored.best, scored.best_model, scored.lost) == (Best(5, 0.1), SECOND, 2)


def test_in_groups_rounds_are_compared_by_the_median_of_changes() -> None:
    """Two liars of seven turn the median of scores around, and not that of the changes."""
    honest = {f"group {k}": level for k, level in enumerate((0.1, 0.15, 0.2, 0.25, 0.3))}
    levels = {
        "before": honest | {"x": 0.01, "y": 0.01},
        "after": {name: 0.98 * level for name, level in honest.items()} | {"x": 9.0, "y": 9.0},
    }
    medians = {name: statistics.median(found.values()) for name, found in levels.items()}
    assert medians["after"] > medians["before"]
    before, after = (told(found) for found in levels.values())
    score = RoundScore(after, ErrorSums(), 0.3)
    linked = score.linked(0.2, primaries(before))
    assert linked.metric == pytest.approx(0.98 * 0.2)
    assert linked.metrics["wape"] == linked.metric
    assert score.linked(0.2, {}) == score
    unscored = RoundScore({}, ErrorSums(), None)
    assert unscored.linked(0.2, primaries(before)) == unscored
