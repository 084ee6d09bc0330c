"""A node's sign of life, in a thread of its own: learning may take longer than a server waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from glean.errors import FederationError

EVERY_S, AGAIN_S = 10.0, 3.0
"""Between two signs, and after one that didn't get through."""


@contextmanager
def heartbeats(beat: Callable[[], object], *, every_s: float = EVERY_S) -> Iterator[None]:
    """Give signs of life while the body goes on.

    Parameters
    ----------
    beat : callable
        Gives one; a `FederationError` of it says that it didn't get through.
    every_s : float
        Seconds between two.
    """
    stop = threading.Event()
    thread = threading.Thread(target=_run, args=(beat, stop, every_s), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()


def _run(beat: Callable[[], object], stop: threading.Event, every_s: float) -> None:
    pause_s = every_s
    while not stop.wait(pause_s):
        try:
            beat()
        except FederationError:
            # The node notices by itself at its next look for messages, and says so.
            pause_s = min(AGAIN_S, every_s)
        else:
            pause_s = every_s
