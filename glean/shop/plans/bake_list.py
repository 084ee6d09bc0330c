"""The list of a day: its plan less what is left over, as the baker says; and what it costs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from glean.shop.plans.kept_plans import KeptPlan, PlanLine

KEEPS_DAYS = 2
"""From this shelf life on what is left over of yesterday is sold today."""

_FINE_BELOW, _COARSE_FROM = 30.0, 200.0
"""Units below which a tap changes a number by 1, and from which on by 10; between them by 5."""


@dataclass(frozen=True)
class ListLine:
    """A product on the list.

    Parameters
    ----------
    plan : PlanLine
        What the plan says of it.
    left_over : float
        Units of yesterday that are sold today.
    ordered : float
        Units that were ordered for sure, on top of what is planned.
    planned : float
        Units to bake by the plan: less what is left over, with what was ordered.
    bake : float
        Units to bake: planned, or what the baker says.
    done : bool
        Whether it is ticked off.
    """

    plan: PlanLine
    left_over: float
    ordered: float
    planned: float
    bake: float
    done: bool

    @property
    def product(self) -> str:
        """Its name."""
        return self.plan.product

    @property
    def corrected(self) -> bool:
        """Whether the baker says another number than the plan."""
        return self.bake != self.planned

    @property
    def step(self) -> float:
        """Units by which a tap on + or - changes it: a tray, where there are trays."""
        if self.plan.batch:
            return self.plan.batch
        return 1.0 if self.bake < _FINE_BELOW else 5.0 if self.bake < _COARSE_FROM else 10.0

    @property
    def more(self) -> float:
        """Units after a tap on +."""
        return self.bake + self.step

    @property
    def less(self) -> float:
        """Units after a tap on -."""
        return max(self.bake - self.step, 0.0)

    @property
    def for_sale(self) -> float:
        """Units for whoever walks in: baked and left over, less what was ordered."""
        return max(self.bake + self.left_over - self.ordered, 0.0)


@dataclass(frozen=True)
class DayCost:
    """What a list costs on average.

    Parameters
    ----------
    left_over, missed : float
        Units.
    money : float
        Lost with both, over the products whose prices are known.
    priced, unpriced : int
        Products with and without prices.
    days_of_ten : int
        Of ten days so many on which a product without prices suffices, on the mean of these.
    """

    left_over: float
    missed: float
    money: float
    priced: int
    unpriced: int
    days_of_ten: int


def bake_list(
    plan: KeptPlan,
    *,
    corrections: Mapping[str, float] | None = None,
    ticked: AbstractSet[str] = frozenset(),
    left_over: Mapping[str, float] | None = None,
    ordered: Mapping[str, float] | None = None,
) -> tuple[ListLine, ...]:
    """Make the list of a plan.

    Parameters
    ----------
    plan : KeptPlan
        The plan.
    corrections : mapping of str to float, optional
        Units that the baker says, by product.
    ticked : set of str
        Products that are done.
    left_over : mapping of str to float, optional
        Units of yesterday, by product; those of goods that don't keep are not taken off.
    ordered : mapping of str to float, optional
        Units that were ordered for sure, by product.
    """
    said, left, firm = corrections or {}, left_over or {}, ordered or {}
    return tuple(
        _line(
            line,
            left=left.get(line.product, 0.0),
            ordered=firm.get(line.product, 0.0),
            said=said.get(line.product),
            done=line.product in ticked,
        )
        for line in plan.products
    )


def _line(
    line: PlanLine, *, left: float, ordered: float, said: float | None, done: bool
) -> ListLine:
    left = min(left, line.bake) if line.shelf_life_days >= KEEPS_DAYS else 0.0
    planned = in_trays(max(line.bake - left, 0.0) + ordered, line.batch)
    return ListLine(line, left, ordered, planned, planned if said is None else said, done)


def in_trays(units: float, batch: float | None) -> float:
    """Round units up to whole trays.

    Examples
    --------
    >>> in_trays(25.0, 12.0), in_trays(24.0, 12.0), in_trays(25.0, None)
    (36.0, 24.0, 25.0)
    """
    return units if not batch else math.ceil(units / batch - 1e-9) * batch


def cost_of(lines: Iterable[ListLine]) -> DayCost:
    """Say what a list costs on an average day like this."""
    left = missed = money = 0.0
    enough: list[float] = []
    priced = 0
    for line in lines:
        over, short = _left_and_missed(line.for_sale, line.plan.quantiles)
        left, missed = left + over, missed + short
        if line.plan.margin is None or line.plan.loss is None:
            enough.append(share_of_days(line.for_sale, line.plan.quantiles))
            continue
        priced += 1
        money += over * line.plan.loss + short * line.plan.margin
    mean = sum(enough) / len(enough) if enough else 0.0
    return DayCost(left, missed, money, priced, len(enough), round(10 * mean))


def _left_and_missed(units: float, quantiles: Sequence[float]) -> tuple[float, float]:
    """Units left over and missed on average, demand being as likely between any two quantiles."""
    count = len(quantiles)
    left = sum(max(units - demand, 0.0) for demand in quantiles) / count
    missed = sum(max(demand - units, 0.0) for demand in quantiles) / count
    return left, missed


def share_of_days(units: float, quantiles: Sequence[float]) -> float:
    """Share of such days on which so many units suffice.

    Examples
    --------
    >>> share_of_days(15.0, tuple(float(level) for level in range(1, 20)))
    0.75
    """
    count = len(quantiles)
    if units < quantiles[0]:
        return 0.0
    if units >= quantiles[-1]:
        return 1.0
    k = next(k for k in range(count - 1) if quantiles[k] <= units < quantiles[k + 1])
    within = (units - quantiles[k]) / (quantiles[k + 1] - quantiles[k])
    return (k + 1 + within) / (count + 1)


def in_groups(lines: Iterable[ListLine]) -> list[tuple[str, list[ListLine]]]:
    """Put the lines of each category together, in the order of their first; "" is the last one."""
    groups: dict[str, list[ListLine]] = {}
    for line in lines:
        groups.setdefault(line.plan.category, []).append(line)
    return sorted(groups.items(), key=lambda item: item[0] == "")
