"""Who is there: which bakeries can be asked, which are missing, and since when.

Only bookkeeping: `availability.py` looks which nodes are connected and `registration.py` asks those
that came who they are. A bakery is known by its name; its node's id is only the way to it, and may
change.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

Clock = Callable[[], float]


class ClientRegistry:
    """The bakeries of a run, as they come and go.

    Parameters
    ----------
    clock : callable
        Gives the time in seconds; never goes back.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._nodes: dict[str, int] = {}
        self._last_seen: dict[str, float] = {}
        self._missed: dict[str, float] = {}
        self._connected: frozenset[int] = frozenset()
        self._backed_off: dict[int, float] = {}

    @property
    def connected(self) -> frozenset[int]:
        """Nodes seen at the last look."""
        return self._connected

    @property
    def registered(self) -> tuple[str, ...]:
        """Every bakery that was ever let in, there or not, in text order."""
        return tuple(sorted(self._nodes))

    @property
    def present(self) -> frozenset[str]:
        """Bakeries that can be asked."""
        return frozenset(self._nodes.keys() - self._missed.keys())

    @property
    def missing(self) -> dict[str, float]:
        """Bakeries that can't be asked -> seconds since they were last heard of; in text order."""
        now = self._clock()
        return {name: now - self._last_seen[name] for name in sorted(self._missed)}

    def node(self, name: str) -> int:
        """Give the node that a bakery last registered with."""
        return self._nodes[name]

    def update(self, connected: Iterable[int]) -> list[str]:
        """Take in which nodes are connected now; the bakeries lost by that, in text order."""
        self._connected = frozenset(connected)
        now = self._clock()
        self._backed_off = {
            n: t for n, t in self._backed_off.items() if n in self._connected and t > now
        }
        lost = [
            name
            for name, node in sorted(self._nodes.items())
            if name not in self._missed and node not in self._connected
        ]
        for name in lost:
            self.mark_missing(name)
        return lost

    def unregistered(self) -> list[int]:
        """Nodes that have yet to say who they are: they came, came back, or owe a reply."""
        familiar = {node for name, node in self._nodes.items() if name not in self._missed}
        return sorted(self._connected - self._backed_off.keys() - familiar)

    def back_off(self, node: int, *, for_s: float = math.inf) -> None:
        """Don't ask a node who it is for some time, unless it leaves and comes back."""
        self._backed_off[node] = self._clock() + for_s

    def taken(self, name: str, *, by_other_than: int) -> bool:
        """Whether another node that is connected has this name."""
        node = self._nodes.get(name)
        return node in self._connected and node != by_other_than

    def had(self, name: str, node: int) -> bool:
        """Whether this node was the last to register with this name."""
        return self._nodes.get(name) == node

    def register(self, name: str, node: int) -> float | None:
        """Let a bakery in; for how many seconds it was missing, None where it wasn't known."""
        away = self._clock() - self._last_seen[name] if name in self._nodes else None
        self._missed.pop(name, None)
        self._nodes[name] = node
        self.touch(name)
        return away

    def touch(self, name: str) -> None:
        """Note that a bakery gave a sign of life."""
        self._last_seen[name] = self._clock()

    def mark_missing(self, name: str) -> None:
        """Note that a bakery is gone, or owes a reply: it isn't asked until it is let in anew."""
        self._missed.setdefault(name, self._clock())

    def is_gone(self, name: str) -> bool:
        """Whether a bakery's node isn't connected."""
        return name in self._missed and self._nodes[name] not in self._connected

    def gone_s(self, name: str) -> float:
        """Seconds since it was noticed that a bakery is gone; 0 where it isn't."""
        return self._clock() - self._missed[name] if self.is_gone(name) else 0.0
