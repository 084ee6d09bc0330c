"""Who masks with whom: a public random graph over the bakeries, and how much it can bear.

A number of bakeries and a public seed come in, neighbours and probabilities go out. Stands at the
beginning of a secure sum: `Cohort` takes the neighbours from here, `SecAggClient` and `SecAggRound`
the threshold.
After Bell et al. (CCS 2020): a regular graph over a random order needs neighbours in proportion to
the logarithm only. Theirs joins the nearest on a circle, where a gap of a few spreads; here the
distances are random too.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache

FEWEST_NEIGHBOURS, NEIGHBOURS_A_DOUBLING = 16, 2
"""Of each bakery at least, and more each time that the federation doubles.

With these everybody masks with everybody up to 27 bakeries, and up to 41 any third may vanish at
once; `docs/privacy.md` has the figures for more.
"""

FEWEST_BAKERIES = 3
"""With two, each could subtract its own part from the sum and see the other's."""


def usual_degree(bakeries: int) -> int:
    """Give the number of neighbours of each bakery.

    Parameters
    ----------
    bakeries : int
        How many there are.

    Returns
    -------
    int
        All others in a small federation, else an even number that grows with the logarithm.
    """
    if bakeries < FEWEST_BAKERIES:
        return max(bakeries - 1, 0)
    grown = FEWEST_NEIGHBOURS + NEIGHBOURS_A_DOUBLING * math.ceil(math.log2(bakeries))
    return min(bakeries - 1, grown)


@lru_cache(maxsize=1024)
def threshold(neighbours: int, *, bakeries: int) -> int:
    """Give the number of shares that recover a self-mask, and of neighbours to hide among.

    Only a majority is safe from an inconsistent server: two groups of holders, one told
    that a bakery sent and one that it is gone, can't both be of this size. Where all mask with all
    it is as many as are left when a third of all are gone, so that colluders, who can be in both
    groups, have to be about a third too. A random graph bears fewer (`graph_risks`), and has the
    majority.

    Parameters
    ----------
    neighbours : int
        Who hold a share.
    bakeries : int
        How many agreed on keys.
    """
    majority = neighbours // 2 + 1
    if usual_degree(bakeries) < bakeries - 1:
        return majority
    return max(majority, math.ceil(2 * (neighbours + 1) / 3) - 1)


def neighbours(bakeries: int, seed: bytes) -> tuple[tuple[int, ...], ...]:
    """Give each bakery's neighbours.

    Parameters
    ----------
    bakeries : int
        How many there are; they are known by their places from 0.
    seed : bytes
        What everybody knows; another seed gives another graph.

    Returns
    -------
    tuple of tuple of int
        For each place those of its neighbours, ascending. Symmetric; everybody has `usual_degree`
        of them.
    """
    return tuple(neighbours_of(place, bakeries, seed) for place in range(bakeries))


def neighbours_of(place: int, bakeries: int, seed: bytes) -> tuple[int, ...]:
    """Give one bakery's neighbours, as `neighbours` does."""
    degree = usual_degree(bakeries)
    if degree == bakeries - 1:
        return tuple(other for other in range(bakeries) if other != place)
    circle, positions, distances = _circle(bakeries, seed)
    at = positions[place]
    chosen = distances[: degree // 2]
    return tuple(sorted(circle[(at + way) % bakeries] for d in chosen for way in (d, -d)))


@lru_cache(maxsize=4)
def _circle(bakeries: int, seed: bytes) -> tuple[list[int], list[int], list[int]]:
    """Draw an order of all, where each stands in it, and the order in which distances are taken."""
    circle = sorted(range(bakeries), key=lambda place: _rank_key(seed, f"place {place}"))
    positions = [0] * bakeries
    for at, place in enumerate(circle):
        positions[place] = at
    further = sorted(range(2, (bakeries + 1) // 2), key=lambda d: _rank_key(seed, str(d)))
    return circle, positions, [1, *further]  # the nearest hold the circle together


def _rank_key(seed: bytes, name: str) -> bytes:
    return hashlib.sha256(len(seed).to_bytes(4, "big") + seed + name.encode()).digest()


@dataclass(frozen=True)
class GraphRisks:
    """Upper bounds of what a random graph leaves to chance in one step; above 1 they say nothing.

    Parameters
    ----------
    exposed : float
        Probability that colluding neighbours of some bakery hold as many shares as open its
        self-mask, so that they and the server could read its vector if it were declared gone.
    stuck : float
        Probability that so many neighbours of some bakery that sent have vanished that its
        self-mask can't be opened.
    """

    exposed: float
    stuck: float


def graph_risks(
    bakeries: int,
    degree: int,
    *,
    needed: int,
    colluding: float,
    vanishing: float = 1 / 3,
) -> GraphRisks:
    """Bound what may go wrong, by hypergeometric tails and the union bound.

    Parameters
    ----------
    bakeries, degree : int
        How many there are, and how many neighbours each has.
    needed : int
        Shares that open a self-mask.
    colluding, vanishing : float
        Share of all bakeries that tell the server all they know, and that vanish in one step; in
        [0, 1].

    Returns
    -------
    GraphRisks
        Both probabilities. A bakery's neighbours are `degree` drawn from all others without
        replacement, whatever the graph, since the order on the circle is random.
    """
    from scipy.stats import hypergeom  # slow to import, and only for this page of figures

    colluders, vanished = math.floor(colluding * bakeries), math.floor(vanishing * bakeries)
    others, present = bakeries - 1, bakeries - vanished
    exposed = (bakeries - colluders) * float(
        hypergeom.sf(needed - 1, others, min(colluders, others), degree)
    )
    stuck = present * float(hypergeom.cdf(needed - 1, others, max(present - 1, 0), degree))
    return GraphRisks(exposed, stuck)
