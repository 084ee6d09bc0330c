"""The summary: sums over bakeries, never means of their shares."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glean.evaluation.tables.scores import score_frame, score_methods
from glean.evaluation.tables.summary import Comparison, compare, ordered_methods, summarise
from glean.features.definition import FeatureDefinition
from glean.features.matrix import FeatureMatrix
from glean.metrics import Floats, rmse, wape

ROWS = st.lists(st.tuples(st.floats(1.0, 1e3), st.floats(0.0, 1e3)), min_size=1, max_size=8)


def matrix(units: Floats) -> FeatureMatrix:
    definition = FeatureDefinition(horizon_days=1, season=False)
    n = units.size
    dates = pd.date_range("2024-01-01", periods=n, freq="D")
    return FeatureMatrix(
        x=np.zeros((n, len(definition.names)), dtype=np.float32),
        y=np.ones(n, dtype=np.float32),
        level=np.ones(n),
        mean_28=np.ones(n),
        model_share=np.ones(n),
        weight=np.ones(n),
        units=units,
        keys=pd.DataFrame({"date": dates, "bakery": "b", "product": "all"}),
        definition=definition,
    )


def row(
    bakery: str, method: str, wape_share: float, *, cohort: str = "established"
) -> dict[str, object]:
    return {
        "bakery": bakery,
        "cohort": cohort,
        "method": method,
        "n_days": 10,
        "units": 100.0,
        "abs_error": 100.0 * wape_share,
        "wape": wape_share,
        "rmse": 2.0,
        "n_rows": 10,
    }


@settings(max_examples=40)
@given(st.lists(st.tuples(ROWS, st.booleans()), min_size=1, max_size=5))
def test_totals_are_those_of_all_rows(
    bakeries: list[tuple[list[tuple[float, float]], bool]],
) -> None:
    """WAPE and RMSE over bakeries equal those of all their rows put together, cohort by cohort."""
    scores, everyone, newcomers = [], [], []
    for number, (rows, is_new) in enumerate(bakeries):
        actual = np.array([a for a, _ in rows])
        forecast = np.array([f for _, f in rows])
        everyone += rows
        newcomers += rows if is_new else []
        scores += score_methods(
            matrix(actual),
            {"federated": forecast},
            bakery=f"b{number}",
            cohort="newcomer" if is_new else "established",
            scale=np.ones(actual.size),
        )
    federated = summarise(score_frame(scores)).of("federated")
    assert federated is not None
    for group, rows in ((federated.everyone, everyone), (federated.newcomers, newcomers)):
        if rows:
            actual, forecast = (np.array(column) for column in zip(*rows, strict=True))
            assert group.wape == pytest.approx(wape(actual, forecast))
            assert group.rmse == pytest.approx(rmse(actual, forecast), abs=1e-6)
        else:
            assert group.bakeries == 0
            assert math.isnan(group.wape)


def test_better_off_needs_more_than_one_per_cent() -> None:
    """Within 1% of the baseline's WAPE counts as equal, on both sides."""
    pairs = [(0.100, 0.110), (0.1005, 0.100), (0.0995, 0.100), (0.120, 0.110), (0.130, 0.110)]
    rows = [
        row(f"b{number}", method, share)
        for number, pair in enumerate(pairs)
        for method, share in zip(("federated", "local"), pair, strict=True)
    ]
    found = compare(pd.DataFrame(rows), "federated", baseline="local")
    assert found == Comparison(better=1, equal=2, worse=2)
    assert found.bakeries == 5


def test_only_bakeries_with_both_methods_are_compared() -> None:
    """A bakery that had too little to learn from alone isn't counted as won or lost."""
    rows = [
        row("a", "federated", 0.1),
        row("a", "local", 0.2),
        row("young", "federated", 0.3, cohort="newcomer"),
    ]
    summary = summarise(pd.DataFrame(rows))
    assert summary.bakeries == 2
    assert summary.federated_or_local == Comparison(better=1, equal=0, worse=0)
    assert [score.method for score in summary.incomplete] == ["local"]


def test_without_local_nothing_is_compared() -> None:
    """No baseline was run: no count rather than a flattering one."""
    summary = summarise(pd.DataFrame([row("a", "federated", 0.1)]))
    assert summary.federated_or_local is None
    assert summary.of("local") is None


def test_scores_kept_at_home_give_totals_only() -> None:
    """With one row (all) a method there are totals, but no bakeries to count."""
    rows = [row("(all)", "federated", 0.1), row("(all)", "local", 0.2)]
    summary = summarise(pd.DataFrame(rows))
    federated = summary.of("federated")
    assert federated is not None
    assert federated.everyone.wape == pytest.approx(0.1)
    assert summary.bakeries == 0
    assert summary.federated_or_local is None


def test_distance_to_the_best_possible_forecast() -> None:
    """The distance is the difference of the two WAPEs over the same bakeries, weighted by units."""
    rows = [row("a", "federated", 0.2), row("b", "federated", 0.4), row("a", "local", 0.3)]
    truth = pd.DataFrame(
        {"bakery": ["a", "b"], "units": [100.0, 100.0], "abs_error": [10.0, 20.0], "wape": 0.1}
    )
    best = summarise(pd.DataFrame(rows), truth=truth).best_possible
    assert best is not None
    assert best.wape == pytest.approx(0.15)
    assert best.distance == {"federated": pytest.approx(0.15)}


def test_a_bakery_without_test_rows_changes_nothing() -> None:
    """A row with zero test days neither counts as a bakery nor turns sums into NaN."""
    empty = row("empty", "federated", math.nan) | {"units": 0.0, "n_rows": 0, "rmse": math.nan}
    with_empty = summarise(pd.DataFrame([row("a", "federated", 0.1), empty]))
    federated = with_empty.of("federated")
    assert federated is not None
    assert (federated.everyone.wape, federated.everyone.rmse) == (0.1, 2.0)
    assert with_empty.bakeries == 1


def test_methods_have_a_fixed_order() -> None:
    """The federation stands first, baselines last among the known, unknown ones after them."""
    shown = ordered_methods(["zebra", "last-week", "federated", "local", "ant"])
    assert shown == ["federated", "local", "last-week", "ant", "zebra"]
