"""When to try again what didn't work: soon at first, then later and later, never all at once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 15.0


class BackOff:
    """Pauses between tries; each is drawn, so that many who lost the same thing don't come at once.

    Parameters
    ----------
    clock : callable
        Seconds that only go up.
    draw : callable
        Numbers from 0 to 1.

    Examples
    --------
    >>> now = [0.0]
    >>> back_off = BackOff(clock=lambda: now[0], draw=lambda: 1.0)
    >>> back_off.failed(), back_off.due, back_off.wait_s
    (None, False, 0.5)
    >>> now[0] = 0.5
    >>> back_off.due
    True
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._clock = clock
        self._draw = draw
        self._pause_s = FIRST_PAUSE_S
        self._next = clock()

    @property
    def due(self) -> bool:
        """Whether it may be tried now."""
        return self.wait_s <= 0

    @property
    def wait_s(self) -> float:
        """How long until it may be tried, s; 0 where that is now."""
        return max(0.0, self._next - self._clock())

    def failed(self) -> None:
        """Wait, and the next time twice as long."""
        self._next = self._clock() + self._pause_s * (0.5 + self._draw() / 2)
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)

    def succeeded(self) -> None:
        """Begin with the shortest pause again."""
        self._pause_s, self._next = FIRST_PAUSE_S, self._clock()
