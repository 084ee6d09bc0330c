"""Shortest ways between peers that don't reach each other, and who stands in between."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from heapq import nsmallest

Ways = Mapping[tuple[str, str], tuple[str, ...]]
"""From one to another, by which peers, both among them."""


def shortest_paths(
    links: Iterable[tuple[str, str]],
) -> dict[tuple[str, str], tuple[str, ...]]:
    """Find a shortest way between any two that have one; of several that which sorts first.

    Examples
    --------
    >>> shortest_paths([("a", "b"), ("b", "c")])["a", "c"]
    ('a', 'b', 'c')
    """
    return dict(ways_of(tuple(sorted(links))))


@lru_cache(maxsize=4)
def ways_of(links: tuple[tuple[str, str], ...]) -> Ways:
    """Find them for links in order, once: they stay the same for long, and ways are many."""
    near: dict[str, set[str]] = {}
    for one, other in links:
        near.setdefault(one, set()).add(other)
        near.setdefault(other, set()).add(one)
    in_order = {name: sorted(others) for name, others in near.items()}
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for start in sorted(near):
        ways: dict[str, tuple[str, ...]] = {start: (start,)}
        edge = [start]
        while edge:  # in the order of their ways: who is found first is found by the least one
            fresh: list[str] = []
            for name in edge:
                for other in in_order[name]:
                    if other not in ways:
                        ways[other] = (*ways[name], other)
                        fresh.append(other)
            edge = fresh
        found |= {(start, end): way for end, way in ways.items() if end != start}
    return found


@lru_cache(maxsize=4)
def relays_of(links: tuple[tuple[str, str], ...], most: int) -> frozenset[tuple[str, str, str]]:
    """Name the first relays with two between whom each would relay, in the order of their names."""
    found = (
        (relay, one, other)
        for (one, other), way in ways_of(links).items()
        if one < other
        for relay in way[1:-1]
    )
    return frozenset(nsmallest(most, found))
