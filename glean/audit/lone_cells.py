"""How many opened sums are one bakery's alone: counted from inside, as no attacker can."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glean.audit.bakery_truth import BakeryTruth
from glean.audit.evidence import Observed
from glean.federation.wire.sum_request import HISTOGRAMS
from glean.learning.fixed_point import FixedPoint
from glean.learning.gradient_histograms import GradientHistograms
from glean.learning.histogram_request import HistogramRequest

Whole = NDArray[np.int64]

_HESSIAN = 1


@dataclass(frozen=True)
class LoneCells:
    """Counts of cells, which are leaves or bins of nodes.

    Parameters
    ----------
    cells : int
        Cells that rows of somebody reach.
    alone : int
        Of them those that rows of one bakery alone reach.
    single_rows : int
        Of these those with one row; -1 where rows aren't counted.
    fewest : int
        Bakeries in the cell that has the fewest.
    """

    cells: int
    alone: int
    single_rows: int
    fewest: int


def lone_cells(run: Observed, bakeries: Sequence[BakeryTruth]) -> LoneCells:
    """Count over all rounds of a run."""
    by_rows = bool(run.leaves)
    parts = list(_rows_by_leaf(run, bakeries) if by_rows else _reached_bins(run, bakeries))
    if not parts:
        return LoneCells(0, 0, 0, 0)
    rows = np.concatenate(parts, axis=1)
    senders = (rows > 0).sum(axis=0)
    reached = senders[senders > 0]
    single = int((rows.sum(axis=0) == 1).sum()) if by_rows else -1
    return LoneCells(len(reached), int((reached == 1).sum()), single, int(reached.min()))


def _rows_by_leaf(run: Observed, bakeries: Sequence[BakeryTruth]) -> Iterator[Whole]:
    """Count the rows in each leaf, shape (bakeries, leaves)."""
    for one in run.leaves:
        yield np.stack(
            [
                np.bincount(bakery.leaves(one.trees).ravel(), minlength=len(one.levels))
                for bakery in bakeries
            ]
        )


def _reached_bins(run: Observed, bakeries: Sequence[BakeryTruth]) -> Iterator[Whole]:
    """Say which bins have rows, shape (bakeries, bins)."""
    boosting = run.settings.boosting
    rows = [GradientHistograms(bakery.training, run.layout, boosting) for bakery in bakeries]
    for one in run.received.sums:
        if HISTOGRAMS not in one.request.parts:
            continue
        asked = HistogramRequest.from_json(one.request.histogram_request, layout=run.layout)
        scale = FixedPoint.for_rows(one.request.rows)
        sums = [
            each.histograms(
                each.start(), asked, unit_weight=one.request.unit_weight, scale=scale
            ).reshape(-1, 2)[:, _HESSIAN]
            for each in rows
        ]
        yield (np.stack(sums) != 0).astype(np.int64)
