"""All opened sums as linear equations about the same rows, solved by least squares.

The attacker is given more than a server has: which rows there are, and which leaf each of them
reaches, in every bakery. So what it gets bounds what a server gets that has to guess these. Each
leaf's levels and errors are two equations; what is left open is each row's level and its units.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from glean.audit.bakery_truth import BakeryTruth
from glean.audit.claims import is_recovered
from glean.audit.leaf_sums import LeafSums
from glean.audit.members_view import MembersView

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

MOST_STEPS = 100
"""Of LSMR (Fong and Saunders, 2011); it stops sooner where the equations are met."""


def solved(
    sums: Sequence[LeafSums], view: MembersView, bakeries: Sequence[BakeryTruth]
) -> tuple[Floats, Floats]:
    """Estimate the level and the units of each row.

    Parameters
    ----------
    sums : sequence of LeafSums
        All that was opened.
    view : MembersView
        The models, which say how each row was forecast by then.
    bakeries : sequence of BakeryTruth
        Whose rows the attacker takes for being in the sums; of them only the leaves are looked at.

    Returns
    -------
    levels, units : float64 arrays of shape (rows,)
        Of all bakeries one after the other; the shortest solution, seen from the mean row.
    """
    from scipy.sparse import bmat, csr_array, diags_array, vstack  # slow to import
    from scipy.sparse.linalg import lsmr

    rows = sum(len(bakery) for bakery in bakeries)
    blocks, wanted = [], []
    for one in sums:
        leaves = np.concatenate([bakery.leaves(one.trees) for bakery in bakeries], axis=1)
        places = (leaves.ravel(), np.tile(np.arange(rows), len(leaves)))
        reaches = csr_array((np.ones(leaves.size), places), shape=(len(one.levels), rows))
        margin = np.concatenate([view.margin(one.round, bakery) for bakery in bakeries])
        blocks.append(bmat([[reaches, None], [reaches @ diags_array(margin), -reaches]]))
        wanted += [one.levels, one.errors]
    system = vstack(blocks, format="csr")
    mean = _mean_level(sums, rows)
    start = np.full(2 * rows, mean)
    off = lsmr(system, np.concatenate(wanted) - system @ start, maxiter=MOST_STEPS)[0]
    found = start + off
    return found[:rows], found[rows:]


def recovered(estimate: tuple[Floats, Floats], truth: BakeryTruth, place: slice) -> Mask:
    """Say of which of a bakery's product-days both numbers are recovered, shape (rows,)."""
    levels, units = (part[place] for part in estimate)
    both: Mask = is_recovered(levels, truth.level) & is_recovered(units, truth.units)
    return both


def _mean_level(sums: Sequence[LeafSums], rows: int) -> float:
    """Every tree's leaves hold all rows once."""
    totals = [one.levels.sum() / max(len(one.trees), 1) for one in sums]
    return float(np.mean(totals)) / max(rows, 1)
