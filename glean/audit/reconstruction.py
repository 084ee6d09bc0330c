"""Attacks on product-days and on totals of one bakery, each with the same one for comparison.

The comparison is the same attack on a run that the bakery took no part in: what is right there is
right by chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from glean.audit.bakery_truth import BakeryTruth
from glean.audit.claims import Claims, is_recovered
from glean.audit.evidence import Evidence, Observed
from glean.audit.finding import Finding
from glean.audit.leaf_sums import LeafSums
from glean.audit.least_squares import recovered, solved
from glean.learning.learning_rates import learning_rate_of

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

SERVER, MEMBER = "server", "member"
PRODUCT_DAYS = "product-days: level and units"
TOTALS = "a bakery's rows and sum of levels"
TURNOVER = "a bakery's scored rows and units sold"


def findings(evidence: Evidence) -> Iterator[Finding]:
    """Make all attacks, one after the other."""
    if evidence.whole.leaves:
        yield _by_claims(evidence, SERVER, "thin leaves", _thin_leaves)
        yield _by_differences(evidence, "two runs, one without the bakery", evidence.without, 1)
        if evidence.resumed:
            yield _by_differences(evidence, "a run resumed without the bakery", evidence.resumed, 2)
        yield _by_least_squares(evidence)
        yield _by_claims(evidence, MEMBER, "leaf values of the model", _leaf_values)
    yield _totals(evidence)
    if evidence.churned:
        yield _turnover(evidence)


def _thin_leaves(run: Observed) -> Iterable[Claims]:
    return (Claims.single_rows(one) for one in run.leaves)


def _leaf_values(run: Observed) -> Iterable[Claims]:
    """Take units over levels from a leaf's value, and the mean level for the level."""
    rate = learning_rate_of(run.settings.rounds)
    first, second = (run.member.models.get(number) for number in (1, 2))
    if first is None or second is None:
        return
    trees = second.trees[len(first.trees) :]
    value = np.concatenate([tree.value[tree.left < 0] for tree in trees]).astype(np.float64)
    level = np.full(len(value), run.member.unit_weight)
    units = level * (1.0 + value * len(trees) / rate)
    yield Claims(LeafSums(1, trees, level, level - units), level, units)


def _by_claims(
    evidence: Evidence,
    player: str,
    attack: str,
    claims: Callable[[Observed], Iterable[Claims]],
) -> Finding:
    there = _each(evidence, lambda _: claims(evidence.whole))
    not_there = _each(evidence, lambda name: claims(evidence.without[name]))
    return Finding.paired(player, attack, PRODUCT_DAYS, there, not_there)


def _by_differences(
    evidence: Evidence, attack: str, others: Mapping[str, Observed], number: int
) -> Finding:
    """Subtract a run without the bakery; for chance, one without another bakery.

    Where a run opens no leaves anew there is nothing to subtract.
    """

    def claims(absent: str) -> list[Claims]:
        whole = [one for one in evidence.whole.leaves if one.round == number]
        other = [one for one in others[absent].leaves if one.round == number]
        return [Claims.single_rows(one.less(two)) for one, two in zip(whole, other, strict=False)]

    there = _each(evidence, claims)
    not_there = _each(evidence, lambda name: claims(evidence.another(name)))
    return Finding.paired(SERVER, attack, PRODUCT_DAYS, there, not_there)


def _each(evidence: Evidence, claims: Callable[[str], Iterable[Claims]]) -> Mask:
    """Say of all bakeries' product-days, one after the other, which are recovered."""
    found = []
    for name in evidence.victims:
        truth = evidence.bakeries[name]
        mine = np.zeros(len(truth), dtype=np.bool_)
        for claim in claims(name):
            mine |= claim.recovered(truth)
        found.append(mine)
    return np.concatenate(found)


def _by_least_squares(evidence: Evidence) -> Finding:
    bakeries = list(evidence.bakeries.values())
    places = _places(bakeries)
    whole = evidence.whole
    estimate = solved(whole.leaves, whole.member, bakeries)
    there, not_there = [], []
    for name in evidence.victims:
        truth, other = evidence.bakeries[name], evidence.without[name]
        there.append(recovered(estimate, truth, places[name]))
        guess = solved(other.leaves, other.member, bakeries)
        not_there.append(recovered(guess, truth, places[name]))
    return Finding.paired(
        SERVER,
        "least squares over all sums",
        PRODUCT_DAYS,
        np.concatenate(there),
        np.concatenate(not_there),
        note="the attacker is given which leaf each row reaches",
    )


def _places(bakeries: Sequence[BakeryTruth]) -> dict[str, slice]:
    ends = np.cumsum([len(bakery) for bakery in bakeries])
    return {b.name: slice(end - len(b), end) for b, end in zip(bakeries, ends, strict=True)}


def _totals(evidence: Evidence) -> Finding:
    """Subtract what sums are relative to in two runs."""

    def difference(absent: str) -> Floats:
        return _declared(evidence.whole) - _declared(evidence.without[absent])

    def truth(name: str) -> Floats:
        bakery = evidence.bakeries[name]
        return np.array([len(bakery), bakery.level.sum()])

    return _numbers(evidence, "totals of two such runs", TOTALS, difference, truth)


def _declared(run: Observed) -> Floats:
    for one in run.received.sums:
        if (totals := one.totals) is not None:
            return np.array([totals.rows, totals.rows * totals.unit_weight])
    return np.full(2, np.nan)


def _turnover(evidence: Evidence) -> Finding:
    """Subtract the scores of two rounds; or read a bakery's where they are shown."""

    def difference(absent: str) -> Floats:
        run = evidence.churned[absent].received
        if absent in run.shown:
            return np.array([run.shown[absent].rows, run.shown[absent].units])
        scores = [one.scores for one in run.sums if one.scores is not None]
        if len(scores) < 2:
            return np.full(2, np.nan)
        first, last = scores[0], scores[-1]
        return np.array([first.rows - last.rows, first.units - last.units])

    def truth(name: str) -> Floats:
        units = evidence.bakeries[name].validation.units
        return np.array([np.isfinite(units).sum(), np.nansum(units)])

    shown = any(run.received.shown for run in evidence.churned.values())
    note = "scores are shown as they are, as in any simulation unless share-scores=no"
    return _numbers(
        evidence,
        "scores of rounds before and after the bakery left",
        TURNOVER,
        difference,
        truth,
        note=note if shown else "",
    )


def _numbers(
    evidence: Evidence,
    attack: str,
    target: str,
    claimed: Callable[[str], Floats],
    truth: Callable[[str], Floats],
    note: str = "",
) -> Finding:
    there = np.concatenate([is_recovered(claimed(name), truth(name)) for name in evidence.victims])
    not_there = np.concatenate(
        [is_recovered(claimed(evidence.another(name)), truth(name)) for name in evidence.victims]
    )
    return Finding.paired(SERVER, attack, target, there, not_there, note)
