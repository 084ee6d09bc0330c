"""Settings of how trees are grown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from glean.aggregation_kinds import AggregationKind
from glean.languages.catalogues import translatable as _
from glean.setting_fields import INF, choice, number


@dataclass(frozen=True)
class BoostingSettings:
    """How trees are grown; XGBoost's meanings unless said otherwise."""

    trees_per_round: int = number(1, 1, 100, _("new trees a bakery sends in a round"))
    max_depth: int = number(6, 1, 12, _("depth of a tree"))
    min_child_weight: float = number(20.0, 0.0, INF, _("least hessian sum in a leaf"))
    reg_lambda: float = number(1.0, 0.0, INF, _("L2 penalty on leaf values"))
    reg_alpha: float = number(0.0, 0.0, INF, _("L1 penalty on leaf values"))
    gamma: float = number(0.0, 0.0, INF, _("least gain of a split"))
    subsample: float = number(0.7, 0.05, 1.0, _("share of the rows a tree sees"))
    colsample: float = number(0.5, 0.05, 1.0, _("share of the features a tree sees"))
    num_parallel_tree: int = number(1, 1, 100, _("trees of one boosting step (a random forest)"))
    objective: str = choice(
        "reg:squarederror",
        (
            "reg:squarederror",
            "reg:absoluteerror",
            "reg:quantileerror",
            "count:poisson",
            "reg:tweedie",
        ),
        _("loss that a tree reduces"),
    )
    quantile_alpha: float = number(0.5, 0.01, 0.99, _("quantile that reg:quantileerror aims at"))
    bins: int = number(32, 2, 256, _("public bins of a feature, at most"))

    def __hash__(self) -> int:
        """Hash a part: one or two are in use, and each message of a round looks for one."""
        return hash((self.max_depth, self.bins))


def objective_problems(boosting: BoostingSettings, kind: AggregationKind) -> Iterator[str]:
    """Say why an aggregation isn't for the run's objective, a line each."""
    if kind.squared_error_only and boosting.objective != "reg:squarederror":
        yield (
            f"objective: found {boosting.objective!r}; {kind.name} is for squared error: "
            "wanted 'reg:squarederror'"
        )
    elif boosting.objective == "reg:absoluteerror" and kind.leaves_are_sums:
        yield (
            "objective: found 'reg:absoluteerror', whose leaves are medians and no sums; "
            "wanted another one, or aggregation=bagging with leaf-values=scaled"
        )
