"""Weak points of a model that the final test has shown."""

from __future__ import annotations

import pandas as pd

from glean.demand.model_card import MOST_NAMED, found_points


def scores_of(rows: list[tuple[str, str, str, float]]) -> pd.DataFrame:
    """Rows of `bakeries.csv`: bakery, cohort, method, WAPE, each on 100 units and ten rows."""
    return pd.DataFrame(
        {
            "bakery": bakery, "cohort": cohort, "method": method, "n_rows": 10, "units": 100.0,
            "abs_error": 100 * wape, "wape": wape, "rmse": 1.0,
        }
        for bakery, cohort, method, wape in rows
    )  # fmt: skip


def test_bakeries_that_a_habit_serves_better_are_named_the_worst_first() -> None:
    """With both errors; and those with a short history apart, where they are worse off."""
    points = [
        *found_points(
            scores_of(
                [
                    ("Nord", "established", "federated", 0.15),
                    ("Nord", "established", "weekday-mean", 0.20),
                    ("Ost", "established", "federated", 0.21),
                    ("Ost", "established", "weekday-mean", 0.20),
                    ("Süd", "newcomer", "federated", 0.30),
                    ("Süd", "newcomer", "weekday-mean", 0.25),
                ]
            )
        )
    ]
    assert points == [
        "Over all test days it was no better than the mean of the last four same weekdays: don't "
        "bake by it without a look at each bakery's own choice.",
        "Bakeries with a short history: off by 30.0% of what they sold; the others by 18.0%.",
        "Bakeries that the mean of the last four same weekdays serves better on the test days: 2 "
        "of 3: Süd (30.0%, habit 25.0%), Ost (21.0%, habit 20.0%).",
    ]


def test_a_model_that_is_better_everywhere_has_no_such_point() -> None:
    """Nor one of which only the sum over all is known, as far as that is better."""
    rows = [("(all)", "established", method, wape) for method, wape in HABIT_WORSE]
    assert [*found_points(scores_of(rows))] == []


HABIT_WORSE = (("federated", 0.15), ("weekday-mean", 0.2))


def test_products_are_weighed_by_what_was_sold() -> None:
    """A product's error is a share of its units over all bakeries; of many, some are named."""
    days = pd.DataFrame(
        {
            "product": ["rye", "rye", *(f"bun {k}" for k in range(MOST_NAMED + 1))],
            "units": [10.0, 90.0, *[50.0] * (MOST_NAMED + 1)],
            "federated": [20.0, 90.0, *[80.0] * (MOST_NAMED + 1)],
            "weekday-mean": [10.0, 60.0, *[50.0] * (MOST_NAMED + 1)],
        }
    )
    rows = [("Nord", "established", method, wape) for method, wape in HABIT_WORSE]
    (point,) = found_points(scores_of(rows), days=days)
    assert "11 of 12: bun 0 (60.0%, habit 0.0%), " in point
    assert point.endswith(" and 1 more.")
    assert "rye" not in point
