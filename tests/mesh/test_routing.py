"""Who gets a message next: against all ways there are, and never in a circle."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from glean.mesh.routing import next_hops

NAMES = "abcdef"
PAIRS = list(combinations(NAMES, 2))


def ways_of(edges: set[tuple[str, str]]) -> dict[str, set[str]]:
    return {n: {x for pair in edges if n in pair for x in pair if x != n} for n in NAMES}


def shortest(ways: dict[str, set[str]], start: str, end: str, without: str) -> int:
    """The length of the shortest way, found by trying all; a large number where there is none."""
    best, tried = 99, [(start, {start})]
    while tried:
        name, seen = tried.pop()
        if name == end:
            best = min(best, len(seen) - 1)
        else:
            tried += [(n, seen | {n}) for n in ways[name] - seen - {without}]
    return best


@given(st.sets(st.sampled_from(PAIRS)), st.sets(st.sampled_from(NAMES)), st.integers(1, 5))
def test_a_message_goes_where_there_is_a_way(
    edges: set[tuple[str, str]], connected: set[str], most: int
) -> None:
    """The nearest first, none that is too far, and not back through who has it."""
    ways = ways_of(edges)
    found = next_hops("f", "a", connected=connected, neighbours=ways.__getitem__, most_hops=most)
    lengths = {name: shortest(ways, name, "f", "a") for name in connected - {"a"}}
    wanted = [name for name, length in lengths.items() if length < most]
    assert found == sorted(wanted, key=lambda name: (lengths[name], name))


@given(st.sets(st.sampled_from(PAIRS)))
def test_relays_never_pass_on_in_a_circle(edges: set[tuple[str, str]]) -> None:
    """Each next hand is nearer, so a message ends at its receiver or waits."""
    ways, at, hands = ways_of(edges), "a", 0
    while at != "f":
        found = next_hops(
            "f", at, connected=ways[at], neighbours=ways.__getitem__, most_hops=9, relays=hands > 0
        )
        if not found:
            break
        at, hands = found[0], hands + 1
    assert hands <= len(NAMES)
    assert (at == "f") == (shortest(ways, "a", "f", "") < 99)


def test_a_relay_waits_for_a_receiver_that_is_away() -> None:
    """It gives the message back to nobody who is as far from it."""
    ways = {"a": "bc", "b": "ac", "c": "ab"}
    for relays, found in ((False, ["a"]), (True, [])):
        assert found == next_hops(
            "c", "b", connected={"a"}, neighbours=ways.__getitem__, most_hops=4, relays=relays
        )
