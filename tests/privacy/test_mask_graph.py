"""The graph of masks: regular, connected, the same for everybody, and its risks as stated."""

from __future__ import annotations

import numpy as np
import pytest

from glean.privacy.mask_graph import graph_risks, neighbours, threshold, usual_degree

SIZES = [3, 4, 19, 20, 27, 28, 29, 45, 200, 1000]


@pytest.mark.parametrize("count", SIZES)
def test_everybody_has_as_many_neighbours_and_they_know_each_other(count: int) -> None:
    """A pair's masks cancel only if both know of the pair."""
    found = neighbours(count, b"seed")
    for place, near in enumerate(found):
        assert len(set(near)) == len(near) == usual_degree(count)
        assert place not in near
        assert list(near) == sorted(near)
        assert all(place in found[other] for other in near)


@pytest.mark.parametrize("count", SIZES)
def test_the_graph_hangs_together(count: int) -> None:
    """Two parts without an edge between them would show two sums instead of one."""
    found = neighbours(count, b"seed")
    reached, fresh = {0}, {0}
    while fresh:
        fresh = {other for place in fresh for other in found[place]} - reached
        reached |= fresh
    assert len(reached) == count


def test_small_federations_mask_with_everybody() -> None:
    """Below 20, and a little beyond, no chance is involved."""
    assert all(usual_degree(count) == count - 1 for count in range(1, 28))


def test_the_degree_grows_with_the_logarithm() -> None:
    """A mask costs time in proportion to the neighbours."""
    assert [usual_degree(count) for count in (28, 40, 100, 1000, 10_000)] == [26, 28, 30, 36, 44]
    assert all(usual_degree(count) % 2 == 0 for count in range(28, 2000))


def test_the_graph_depends_on_the_seed_and_on_nothing_else() -> None:
    """Server and bakeries make it each for themselves."""
    first = neighbours(50, b"one")
    assert first == neighbours(50, b"one")
    assert first != neighbours(50, b"two")


@pytest.mark.parametrize("held", range(2, 40))
def test_two_groups_of_holders_cannot_both_reach_the_threshold(held: int) -> None:
    """Who is told that a bakery sent, and who that it is gone, are never the same."""
    for bakeries in (held + 1, 1000):
        assert 2 * threshold(held, bakeries=bakeries) > held
        assert threshold(held, bakeries=bakeries) <= held


@pytest.mark.parametrize("count", range(3, 28))
def test_a_third_may_vanish_where_all_mask_with_all_and_one_more_may_not(count: int) -> None:
    """The threshold is the highest that lets so many go, so that colluders gain the least."""
    held = count - 1
    spare = held - threshold(held, bakeries=count)
    assert spare == count // 3 or 2 * (held - count // 3) <= held


def test_risks_bound_what_chance_does() -> None:
    """Random federations of 60 come to harm about as often as the bounds say."""
    count, runs, rng = 60, 400, np.random.default_rng(1)
    degree = usual_degree(count)
    needed = threshold(degree, bakeries=count)
    exposed = stuck = 0
    for run in range(runs):
        found = [set(near) for near in neighbours(count, run.to_bytes(4, "big"))]
        bad = set(rng.choice(count, 21, replace=False).tolist())
        exposed += any(len(found[p] & bad) >= needed for p in range(count) if p not in bad)
        gone = set(rng.choice(count, 18, replace=False).tolist())
        stuck += any(len(found[p] - gone) < needed for p in range(count) if p not in gone)
    bound = graph_risks(count, degree, needed=needed, colluding=0.35, vanishing=0.3)
    assert bound.exposed / 3 < exposed / runs < bound.exposed * 1.3
    assert bound.stuck / 3 < stuck / runs < bound.stuck * 1.3
    assert bound.exposed + bound.stuck < 1


def test_up_to_41_bakeries_any_third_may_vanish() -> None:
    """No chance in it: the rest has the threshold, even if all who vanish are neighbours."""
    for count in range(4, 42):
        degree = usual_degree(count)
        needed = threshold(degree, bakeries=count)
        assert degree - count // 3 >= needed
        risks = graph_risks(count, degree, needed=needed, colluding=1 / 3)
        assert risks.stuck == 0.0
        assert risks.exposed == 0.0


def test_a_gap_does_not_spread() -> None:
    """Where ten neighbours of one are missing, hardly anybody else is left with too few."""
    found = neighbours(200, b"seed")
    gone = {7, *found[7][:17]}
    while isolated := {
        place
        for place, near in enumerate(found)
        if place not in gone and len(set(near) - gone) < threshold(len(near), bakeries=200)
    }:
        gone |= isolated
    assert len(gone) == 18


def test_fewer_shares_are_easier_to_get_for_good_and_for_bad() -> None:
    """The threshold trades one risk for the other."""
    risks = [graph_risks(200, 24, needed=needed, colluding=0.2) for needed in (8, 10, 13)]
    assert risks[0].exposed > risks[1].exposed > risks[2].exposed
    assert risks[0].stuck < risks[1].stuck < risks[2].stuck


@pytest.mark.parametrize(
    ("bakeries", "fewer", "colluding", "exposed"),
    [(41, 20, 1 / 3, (0.0, 8e-2)), (200, 24, 0.2, (7e-4, 1e-2)), (1000, 28, 0.1, (4e-8, 4e-6))],
)
def test_fewer_neighbours_are_more_easily_exposed(
    bakeries: int, fewer: int, colluding: float, exposed: tuple[float, float]
) -> None:
    """Which is why there aren't fewer, though masks would cost less: the page has these figures."""
    found = [
        graph_risks(
            bakeries, degree, needed=threshold(degree, bakeries=bakeries), colluding=colluding
        ).exposed
        for degree in (usual_degree(bakeries), fewer)
    ]
    assert [float(f"{risk:.0e}") for risk in found] == pytest.approx(exposed)
