"""Summary: the rows of `bakeries.csv` and `truth.csv` become the few numbers that count.

Pure pandas: tables in, frozen values out; the terminal table, the report and the figures all read
these, so that they can't disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from glean.sales.table import ALL_BAKERIES as ALL_BAKERIES

METHOD_ORDER = (
    "federated",
    "start-from",
    "personalised",
    "chosen",
    "local",
    "pooled",
    "weekday-mean",
    "last-week",
)
"""Order in which methods are shown; others follow in text order."""

EQUAL_WITHIN = 0.01
"""Two WAPEs are about equal when they differ by at most this share of the second."""


@dataclass(frozen=True)
class GroupScore:
    """One method over a group of bakeries; NaN where nothing was sold or forecast.

    Parameters
    ----------
    bakeries : int
        Bakeries with test rows of this method.
    wape : float
        Sum of absolute errors / sum of units.
    rmse : float
        Root mean squared error over all rows, units.
    noise : float
        Standard deviation of the noise in `wape`, which then is a mean over bakeries; 0 for none.
    """

    bakeries: int
    wape: float
    rmse: float
    noise: float = 0.0


@dataclass(frozen=True)
class MethodScore:
    """One method over all bakeries and over each cohort."""

    method: str
    everyone: GroupScore
    established: GroupScore
    newcomers: GroupScore


@dataclass(frozen=True)
class Comparison:
    """How many bakeries are better off with one method than with another.

    Parameters
    ----------
    better, equal, worse : int
        Bakeries whose WAPE is lower, within `EQUAL_WITHIN` of the baseline's, higher.
    """

    better: int
    equal: int
    worse: int

    @property
    def bakeries(self) -> int:
        """All bakeries compared."""
        return self.better + self.equal + self.worse


@dataclass(frozen=True)
class BestPossible:
    """Error of the true expected demand, known for synthetic bakeries only.

    Parameters
    ----------
    wape : float
        WAPE of the true expected demand on the test rows.
    distance : dict of str to float
        Method -> its WAPE on the same bakeries minus `wape`.
    """

    wape: float
    distance: dict[str, float]


@dataclass(frozen=True)
class Summary:
    """What a run comes to.

    Parameters
    ----------
    methods : tuple of MethodScore
        In the order of `METHOD_ORDER`.
    bakeries : int
        Bakeries with test rows; 0 where they keep their own scores at home.
    federated_or_local : Comparison or None
        "federated" against "local"; None where one of the two or the single bakeries are missing.
    best_possible : BestPossible or None
        None where the truth isn't known.
    chosen_or_local : Comparison or None
        "chosen" against "local", as above.
    """

    methods: tuple[MethodScore, ...]
    bakeries: int
    federated_or_local: Comparison | None
    best_possible: BestPossible | None
    chosen_or_local: Comparison | None = None

    def of(self, method: str) -> MethodScore | None:
        """Scores of one method, None where it wasn't run."""
        return next((score for score in self.methods if score.method == method), None)

    @property
    def incomplete(self) -> tuple[MethodScore, ...]:
        """Methods that cover fewer bakeries than others do: their totals don't compare."""
        most = max((score.everyone.bakeries for score in self.methods), default=0)
        return tuple(score for score in self.methods if score.everyone.bakeries < most)


def summarise(
    scores: pd.DataFrame, *, truth: pd.DataFrame | None = None, noise: float = 0.0
) -> Summary:
    """Add up the final scores of a run.

    Parameters
    ----------
    scores : DataFrame
        Columns of `bakeries.csv` (see `evaluation.scores.BakeryScore`).
    truth : DataFrame, optional
        Columns of `truth.csv`: `bakery`, `units`, `abs_error`, `wape` of the true expected demand
        on the same test rows.
    noise : float
        Standard deviation of the noise in scores whose rows have a WAPE and nothing else.
    """
    noised = scores["n_rows"].isna() & scores["wape"].notna()
    tested = scores[(scores["n_rows"] > 0) | noised]
    single = tested[tested["bakery"] != ALL_BAKERIES]
    methods = ordered_methods(tested["method"].unique().tolist())
    return Summary(
        methods=tuple(_method_score(tested, method, noise=noise) for method in methods),
        bakeries=int(single["bakery"].nunique()),
        federated_or_local=compare(single, "federated", baseline="local"),
        best_possible=None if truth is None else _best_possible(single, truth, methods),
        chosen_or_local=compare(single, "chosen", baseline="local"),
    )


def ordered_methods(methods: Sequence[str]) -> list[str]:
    """Methods in the order in which they are shown."""
    rank = {method: position for position, method in enumerate(METHOD_ORDER)}
    return sorted(methods, key=lambda method: (rank.get(method, len(rank)), method))


def wape_by_bakery(scores: pd.DataFrame, methods: Sequence[str]) -> pd.DataFrame:
    """WAPE with a row a bakery and a column a method; only bakeries that have them all."""
    by_both = scores.groupby(["bakery", "method"])["wape"].mean()
    wide = by_both.unstack()  # noqa: PD010 - a pivot table takes twice as long
    return wide.reindex(columns=list(methods)).dropna()


def compare(scores: pd.DataFrame, method: str, *, baseline: str) -> Comparison | None:
    """Count the bakeries that `method` serves better than `baseline`; None where there is none."""
    wide = wape_by_bakery(scores, [method, baseline])
    if wide.empty:
        return None
    difference = wide[method] - wide[baseline]
    equal = difference.abs() <= EQUAL_WITHIN * wide[baseline]
    return Comparison(
        better=int((~equal & (difference < 0)).sum()),
        equal=int(equal.sum()),
        worse=int((~equal & (difference > 0)).sum()),
    )


def _method_score(tested: pd.DataFrame, method: str, *, noise: float) -> MethodScore:
    rows = tested[tested["method"] == method]
    single = rows[rows["bakery"] != ALL_BAKERIES]  # of a sum nobody knows who is new
    return MethodScore(
        method=method,
        everyone=_group_score(rows, noise=noise),
        established=_group_score(single[single["cohort"] == "established"], noise=noise),
        newcomers=_group_score(single[single["cohort"] == "newcomer"], noise=noise),
    )


def _group_score(rows: pd.DataFrame, *, noise: float = 0.0) -> GroupScore:
    if len(rows) and bool(rows["n_rows"].isna().all()):
        return GroupScore(len(rows), float(rows["wape"].mean()), float("nan"), noise)
    squared_error = float((rows["rmse"] ** 2 * rows["n_rows"]).sum())
    return GroupScore(
        bakeries=len(rows),
        wape=_ratio(float(rows["abs_error"].sum()), float(rows["units"].sum())),
        rmse=float(np.sqrt(_ratio(squared_error, float(rows["n_rows"].sum())))),
    )


def _best_possible(
    scores: pd.DataFrame, truth: pd.DataFrame, methods: Sequence[str]
) -> BestPossible | None:
    same = scores[scores["bakery"].isin(truth["bakery"])]
    known = truth[truth["bakery"].isin(scores["bakery"])]
    best = _ratio(float(known["abs_error"].sum()), float(known["units"].sum()))
    if np.isnan(best):
        return None
    distance = {}
    for method in methods:
        rows = same[same["method"] == method]
        if len(rows) == len(known):
            distance[method] = _group_score(rows).wape - best
    return BestPossible(wape=best, distance=distance)


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0 else float("nan")
