"""The table of aggregations: all that the rest of the package needs to know to tell them apart.

A further aggregation is a row here and a module with its strategy. Nothing outside this table
compares an aggregation's name: settings, checks, checkpoints and clients read its row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

ModelKind = Literal["trees", "weights"]

_SUFFIXES: dict[ModelKind, str] = {"trees": ".ubj", "weights": ".npz"}


@dataclass(frozen=True)
class TreeRate:
    """The rule of a step size for trees: `total` / rounds, at most `largest`.

    A longer run takes finer steps and goes equally far. Numbers are chosen on validation windows.

    Parameters
    ----------
    total : float
        Sum of the step sizes over all rounds.
    largest : float
        The largest step of a round.

    Examples
    --------
    >>> TreeRate(8.0, 0.4).in_rounds(40)
    0.2
    """

    total: float
    largest: float

    def in_rounds(self, rounds: int) -> float:
        """Step size of each of so many rounds."""
        return min(self.largest, self.total / rounds)


TREE_RATE = TreeRate(total=8.0, largest=0.4)
"""Scaled leaves make a round one step whatever the number of bakeries, and `cyclic` adds one
bakery's trees as they are: the same rule serves both, and `histogram`."""

REFIT_RATE = TreeRate(total=16.0, largest=0.8)
"""For refitted leaves, whose average over many structures is a smoother step."""

OBLIVIOUS_RATE = TreeRate(total=100.0, largest=5.0)
"""For random trees, of which each sees little of a residual: a step is of what a tree sees, and
the mean of all rows, which all trees see, is added apart from it. Too long a step diverges."""

AUTO = "auto"
"""Value of the setting `aggregation` by which the setting `privacy` decides."""


@dataclass(frozen=True)
class AggregationKind:
    """One way in which updates become the global model.

    Parameters
    ----------
    name : str
        The value of the setting `aggregation`.
    model : str
        What the global model is made of, "trees" or "weights".
    strategy : str
        Where its strategy stands, "module:class"; imported when a run needs it.
    leaf_values : str
        The value of `leaf-values` that it is for; "" where that setting plays no part.
    rate : TreeRate or None
        Rule of the step size; None for weights, whose optimiser has a rate of its own.
    sums : bool
        Whether the model is made of sums, which the server can be kept from looking into.
    cpu_only : bool
        Whether bakeries learn on the CPU whatever the run's `device`.
    always_masked : bool
        Whether a sum that can't be masked is none, in a simulation too.
    leaves_are_sums : bool
        Whether leaves come from sums, so that a loss whose leaves are medians is refused.
    proposals : bool
        Whether some clients propose structures of trees, without leaf values.
    one_boosting_step : bool
        Whether the trees of a round are grown on the same margins.
    proximal : bool
        Whether clients are held to the average while they learn.
    server_optimizer : str
        What the mean of weights goes through at the server; "" where it is the next model.
    has_state : bool
        Whether its strategy has a state of its own, never empty, which checkpoints keep.
    squared_error_only : bool
        Whether it is for the objective "reg:squarederror" alone.
    parts : tuple of str
        Parts of sums that its training asks for (`federation/wire/sum_request.py`); no client gives
        those of another.
    grouped : bool
        Whether its sums can be made in groups of which the median counts.
    grouped_strategy : str
        Where another strategy stands that it has then; "" where it has the same.
    buffered_strategy : str
        Where the strategy stands whose rounds are made of a buffer of updates; "" where it has
        none.
    chance_setback : float
        By which share a round may make the validation score worse by chance
        (`python -m benchmarks.setbacks` measures it); one that makes it worse is taken back.
    unfit_for_noise : str
        Why it can't be trained where `privacy` is "noise"; "" where it can.
    unfit_for_floor : str
        Why it can't be trained with a floor under all that is opened; "" where it can.
    """

    name: str
    model: ModelKind
    strategy: str
    leaf_values: str = ""
    rate: TreeRate | None = None
    sums: bool = True
    cpu_only: bool = False
    always_masked: bool = False
    leaves_are_sums: bool = False
    proposals: bool = False
    one_boosting_step: bool = False
    proximal: bool = False
    server_optimizer: str = ""
    has_state: bool = False
    squared_error_only: bool = False
    parts: tuple[str, ...] = ()
    grouped: bool = False
    grouped_strategy: str = ""
    buffered_strategy: str = ""
    chance_setback: float = 0.15
    unfit_for_noise: str = "what it opens carries no noise"
    unfit_for_floor: str = ""

    @property
    def averages_weights(self) -> bool:
        """Whether the global model is made of weights."""
        return self.model == "weights"

    @property
    def suffix(self) -> str:
        """Suffix of its model files."""
        return _SUFFIXES[self.model]


_FEDAVG = AggregationKind(
    "fedavg",
    "weights",
    "glean.federation.server.fedavg:FedAvgStrategy",
    cpu_only=True,
    parts=("weights", "weight steps", "quantised steps", "whole weights", "client steps"),
    grouped=True,
    buffered_strategy="glean.federation.server.buffered_strategies:BufferedFedAvg",
    chance_setback=0.3,
    unfit_for_noise="a day can move thousands of weights, and each would want its noise",
)

KINDS: tuple[AggregationKind, ...] = (
    AggregationKind(
        "bagging",
        "trees",
        "glean.federation.server.leaf_refit:LeafRefitStrategy",
        leaf_values="refit",
        rate=REFIT_RATE,
        leaves_are_sums=True,
        proposals=True,
        parts=("presence", "leaves", "leaf gradients"),
        grouped=True,
        grouped_strategy="glean.federation.server.grouped_leaf_refit:GroupedLeafRefitStrategy",
        buffered_strategy="glean.federation.server.buffered_strategies:BufferedLeafRefit",
        unfit_for_noise="its structures are grown on rows, and tell of them",
    ),
    AggregationKind(
        "bagging",
        "trees",
        "glean.federation.server.scaled_bagging:ScaledBaggingStrategy",
        leaf_values="scaled",
        rate=TREE_RATE,
        sums=False,
        unfit_for_noise="each one's trees leave it as they are",
    ),
    AggregationKind(
        "cyclic",
        "trees",
        "glean.federation.server.cyclic:CyclicStrategy",
        rate=TREE_RATE,
        sums=False,
        chance_setback=0.3,
        unfit_for_noise="each one's trees leave it as they are",
    ),
    _FEDAVG,
    replace(_FEDAVG, name="fedprox", proximal=True),
    *(
        replace(
            _FEDAVG,
            name=name,
            strategy="glean.federation.server.server_optimizer:ServerOptimizerStrategy",
            buffered_strategy="glean.federation.server.buffered_strategies:BufferedOptimizer",
            has_state=True,
            server_optimizer=optimizer,
        )
        for name, optimizer in (("fedadam", "adam"), ("fedyogi", "yogi"), ("fedavgm", "momentum"))
    ),
    AggregationKind(
        "oblivious",
        "trees",
        "glean.federation.server.oblivious:ObliviousStrategy",
        rate=OBLIVIOUS_RATE,
        cpu_only=True,
        always_masked=True,
        leaves_are_sums=True,
        one_boosting_step=True,
        has_state=True,
        squared_error_only=True,
        parts=("day hessians", "day gradients"),
        grouped=True,
        buffered_strategy="glean.federation.server.buffered_strategies:BufferedOblivious",
        unfit_for_noise="",
    ),
    AggregationKind(
        "histogram",
        "trees",
        "glean.federation.server.histogram:HistogramStrategy",
        rate=TREE_RATE,
        cpu_only=True,
        always_masked=True,
        leaves_are_sums=True,
        one_boosting_step=True,
        parts=("histograms",),
        unfit_for_noise="its structures follow from rows, and its many cells want much noise",
        unfit_for_floor="it opens each bin of each node, however few have rows in it",
    ),
)

ALL_PARTS = frozenset(part for kind in KINDS for part in kind.parts)
"""Parts that the training of some aggregation asks for."""

_UNDER: dict[bool, str] = {False: "bagging", True: "oblivious"}
"""What "auto" stands for without noise, and with it."""


def automatic(*, noised: bool) -> str:
    """Name the aggregation that "auto" stands for.

    Examples
    --------
    >>> automatic(noised=True)
    'oblivious'
    """
    return _UNDER[noised]


def aggregation_names() -> tuple[str, ...]:
    """Values of the setting `aggregation`, each once: "auto", then in the order of the table."""
    return tuple(dict.fromkeys((AUTO, *(kind.name for kind in KINDS))))


@cache
def kind_of(name: str, *, leaf_values: str) -> AggregationKind:
    """Find the row for two settings that were checked; "auto" is what it is without noise.

    Examples
    --------
    >>> kind_of("fedavg", leaf_values="refit").suffix
    '.npz'
    """
    name = automatic(noised=False) if name == AUTO else name
    return next(
        kind for kind in KINDS if kind.name == name and kind.leaf_values in ("", leaf_values)
    )
