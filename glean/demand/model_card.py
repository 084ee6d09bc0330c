"""What the card of a model of demand says: its data, its scores, its weak points."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from glean.demand.opened_bakeries import opened_bakeries
from glean.demand.small_federation import caution
from glean.demand.wording import PURPOSE
from glean.evaluation.tables.results import RunResults, read_results
from glean.evaluation.tables.summary import GroupScore, summarise, wape_by_bakery
from glean.features.bakery_rows import BakeryRows
from glean.features.definition import FeatureDefinition
from glean.federation.server.conclusion import CardFacts, FinishedRounds
from glean.sales.table import ALL_BAKERIES

MOST_NAMED = 10
"""Bakeries or products that a sentence names."""

_HABIT = "weekday-mean"


def demand_facts(run: FinishedRounds, *, tested: bool) -> CardFacts:
    """Say what the card of a run's final model needs.

    Parameters
    ----------
    run : FinishedRounds
        The run.
    tested : bool
        Whether its final scores are in its folder.
    """
    results = read_results(run.folder.path) if tested else None
    definition = FeatureDefinition.from_json(run.result.model.spec)
    points = [*_standing_points(run, definition)]
    if results is not None and results.scores is not None:
        points += found_points(results.scores, noise=results.score_noise, days=results.days)
    return CardFacts(
        use=PURPOSE,
        data=_data(run, definition),
        scores=_scores(results),
        weak_points=points,
    )


def _data(run: FinishedRounds, definition: FeatureDefinition) -> dict[str, Any]:
    table = run.settings.table
    about: dict[str, Any] = {
        "counted_in": table.units_label,
        "synthetic": not table.sales and not run.deployed,
        "forecasts_days_ahead": definition.horizon_days,
        "knows_the_season": definition.season,
        "covariates": list(definition.covariates),
        "sold_out_days": table.stock_outs,
    }
    bakeries = opened_bakeries(run)
    return about | (_span(bakeries) if bakeries else _AT_THE_BAKERIES)


_AT_THE_BAKERIES = {
    "training_days": "each bakery's own, which only that bakery knows",
    "product_days": "each bakery's own, which only that bakery knows",
}


def _span(bakeries: Sequence[BakeryRows]) -> dict[str, Any]:
    """From when to when there is what was learned from, and how much."""
    rows = pd.concat([_training_rows(bakery) for bakery in bakeries if bakery.trains])
    test_start = min(bakery.windows.test_start for bakery in bakeries)
    return {
        "training_days": f"{rows['date'].min().date()} to {rows['date'].max().date()}",
        "test_days": f"from {test_start.date()}",
        "product_days": len(rows),
        "products": int(rows["product"].nunique()),
    }


def _training_rows(bakery: BakeryRows) -> pd.DataFrame:
    table = bakery.sales.table.rows
    return table.loc[table["date"] < bakery.windows.validation_start, ["date", "product"]]


def _standing_points(run: FinishedRounds, definition: FeatureDefinition) -> Iterator[str]:
    """Say what is weak in every such model."""
    yield (
        "A product's forecast goes by its own last weeks. One with few trading days behind it is "
        "forecast from what its owner states, which is a guess (docs/bake-plan.md)."
    )
    yield (
        "Days that come once a year, and holidays that move, stand in the tables a few times at "
        "most; ranges around public holidays are wider for it."
    )
    if not definition.season:
        yield "It knows no season: no bakery had a year and a half of training days."
    if newcomers := len(run.newcomers):
        yield f"{newcomers} of the bakeries had a short history only."
    trained = sum(info.trains for info in run.loop.manager.infos.values())
    if few := caution(run.settings, bakeries=trained):
        yield f"{few}."


def found_points(
    scores: pd.DataFrame, *, noise: float = 0.0, days: pd.DataFrame | None = None
) -> Iterator[str]:
    """Say where the final test has shown the model to be weak.

    Parameters
    ----------
    scores : DataFrame
        Columns of `bakeries.csv`.
    noise : float
        Standard deviation of the noise in scores; 0 for none.
    days : DataFrame, optional
        Columns of `days.csv`.
    """
    summary = summarise(scores, noise=noise)
    ours, habit = (summary.of(method) for method in ("federated", _HABIT))
    if ours and habit and ours.everyone.wape >= habit.everyone.wape:
        yield (
            "Over all test days it was no better than the mean of the last four same weekdays: "
            "don't bake by it without a look at each bakery's own choice."
        )
    if ours and ours.newcomers.bakeries and ours.newcomers.wape > ours.established.wape:
        yield (
            f"Bakeries with a short history: off by {ours.newcomers.wape:.1%} of what they sold; "
            f"the others by {ours.established.wape:.1%}."
        )
    single = scores[scores["bakery"] != ALL_BAKERIES]
    wide = wape_by_bakery(single, ["federated", _HABIT])
    worse = wide[wide["federated"] > wide[_HABIT]]
    if len(worse):
        yield _worse("Bakeries", worse, of=len(wide))
    if days is not None:
        products = _wape_by_product(days)
        behind = products[products["federated"] > products[_HABIT]]
        if len(behind):
            yield _worse("Products", behind, of=len(products))


def _wape_by_product(days: pd.DataFrame) -> pd.DataFrame:
    errors = pd.DataFrame(
        {name: (days[name] - days["units"]).abs() for name in ("federated", _HABIT)}
    )
    sums = errors.assign(units=days["units"]).groupby(days["product"]).sum()
    sold = sums[sums["units"] > 0]
    return sold[["federated", _HABIT]].div(sold["units"], axis=0)


def _worse(what: str, behind: pd.DataFrame, *, of: int) -> str:
    """Name those that the habit serves better, the worst first."""
    order = (behind["federated"] - behind[_HABIT]).sort_values(ascending=False, kind="stable").index
    named = [
        f"{name} ({behind.loc[name, 'federated']:.1%}, habit {behind.loc[name, _HABIT]:.1%})"
        for name in order[:MOST_NAMED]
    ]
    more = f" and {len(order) - MOST_NAMED} more" if len(order) > MOST_NAMED else ""
    return (
        f"{what} that the mean of the last four same weekdays serves better on the test days: "
        f"{len(order)} of {of}: {', '.join(named)}{more}."
    )


def _scores(results: RunResults | None) -> list[dict[str, Any]]:
    """Give a row a method: WAPE over all, the established and the newcomers, with its noise."""
    if results is None or results.scores is None:
        return []
    summary = summarise(results.scores, noise=results.score_noise)
    return [
        {
            "method": score.method,
            "bakeries": summary.bakeries or None,
            "wape": _number(score.everyone.wape),
            "noise": _number(score.everyone.noise) or None,
            "established": _wape(score.established),
            "newcomers": _wape(score.newcomers),
        }
        for score in summary.methods
    ]


def _wape(score: GroupScore) -> float | None:
    return _number(score.wape) if score.bakeries else None


def _number(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None
