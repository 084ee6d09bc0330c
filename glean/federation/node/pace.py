"""How often a node looks for a message: often while a run goes on, seldom where there is none.

Every look costs the server some milliseconds, of every node; so a node waits for most of the time
that its last messages took to come before it looks at all, and then looks often.
"""

from __future__ import annotations

from collections import deque

SHORTEST_S, LONGEST_S = 0.1, 3.0
LONGEST_FIRST_S = 1.0
_REMEMBERED = 3
_SHARE = 0.8
"""Of the shortest gap of late: below one, so that a run that gets faster is followed."""


class Pace:
    """Pauses between a reply and the next message, seconds."""

    def __init__(self) -> None:
        self._gaps: deque[float] = deque((0.0,), maxlen=_REMEMBERED)

    def found(self, waited_s: float) -> None:
        """Note how long after the last reply a message was there."""
        self._gaps.append(waited_s)

    def pause_s(self, waited_s: float) -> float:
        """Say how long to pause before the next look.

        Parameters
        ----------
        waited_s : float
            Since the last reply.
        """
        expected = min(_SHARE * min(self._gaps), LONGEST_FIRST_S) - waited_s
        return min(max(SHORTEST_S, waited_s / 10, expected), LONGEST_S)
