"""Who gets a message next: its receiver, or a peer that is connected and can pass it on."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Collection


def next_hops(
    receiver: str,
    own: str,
    *,
    connected: Collection[str],
    neighbours: Callable[[str], Collection[str]],
    most_hops: int,
    relays: bool = False,
) -> list[str]:
    """Name the connected peers that a message may go through, those on the shortest ways first.

    Parameters
    ----------
    receiver, own : str
        Whom it is for, and who has it.
    connected : collection of str
        Who can be given something now.
    neighbours : callable
        Whom a peer keeps connections to, as far as is known; who passes on may be away from them
        now, and waits.
    most_hops : int
        Through how many hands it may still go, the receiver's included.
    relays : bool
        Whether it came from another peer: then it goes only to who is nearer than this one, so
        that it doesn't go in a circle.

    Examples
    --------
    >>> ways = {"a": "b", "b": "ac", "c": "b"}
    >>> next_hops("c", "a", connected={"b"}, neighbours=lambda n: ways[n], most_hops=2)
    ['b']
    """
    distance = _distances(receiver, own, neighbours, most_hops)
    limit = min(most_hops, distance.get(own, most_hops)) if relays else most_hops
    near = [name for name in connected if name != own and distance.get(name, limit) < limit]
    return sorted(near, key=lambda name: (distance[name], name))


def keepers(receiver: str, own: str, *, connected: Collection[str]) -> list[str]:
    """Name the connected peers that may keep a message for somebody whom nobody hears now.

    Each receiver has its own order of them, the same at all who send to it, so that no peer keeps
    everything.
    """

    def rank(name: str) -> bytes:
        return hashlib.blake2b(f"{receiver}\n{name}".encode()).digest()

    return sorted(set(connected) - {own}, key=rank)


def _distances(
    receiver: str, own: str, neighbours: Callable[[str], Collection[str]], most_hops: int
) -> dict[str, int]:
    """Count the hands from each peer to the receiver, not through who has the message now."""
    distance = {receiver: 0}
    found = deque([receiver])
    while found:
        name = found.popleft()
        if distance[name] < most_hops and name != own:
            for other in neighbours(name):
                if other not in distance:
                    distance[other] = distance[name] + 1
                    found.append(other)
    return distance
