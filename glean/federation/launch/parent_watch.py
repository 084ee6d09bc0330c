"""A ServerApp ends with the SuperLink that it belongs to, whatever becomes of Flower's own way out.

Flower tells its processes their parent's number and interrupts them when that has gone. A process
that waits for the SuperLink's answer at that moment doesn't hear it, and one whose parent is ended
but not buried (a zombie, as in containers) is never told: it would stay behind for good.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise

import psutil

from glean.runs.process_tree import runs

POLL_S = 1.0

GRACE_S = 10.0
"""How long Flower's own way out may take, which also hands in the last of the log."""

ORPHANED = (
    "the SuperLink that this run belonged to has ended; start it again and go on with --resume and "
    "this folder"
)
"""Why a run failed whose SuperLink has gone."""

_OPTION = "--parent-pid"


@contextmanager
def ended_with_superlink(
    orphaned: Callable[[], object], *, grace_s: float = GRACE_S
) -> Iterator[None]:
    """End this process and all it started once one of those that Flower started it from has gone.

    Parameters
    ----------
    orphaned : callable
        Called before that, as long as the body goes on: the last chance to say why.
    grace_s : float
        Seconds that Flower has to end it by itself.
    """
    goes_on = threading.Event()
    goes_on.set()
    parents = flower_parents(sys.argv)
    if parents:
        arguments = (parents, goes_on, orphaned, grace_s)
        threading.Thread(target=_watch, args=arguments, daemon=True).start()
    try:
        yield
    finally:
        goes_on.clear()


def flower_parents(words: Sequence[str]) -> list[psutil.Process]:
    """Find the processes that a process of Flower's came from, by the words it was started with."""
    found: list[psutil.Process] = []
    while (number := _told(words)) is not None and len(found) < 8:
        try:
            found.append(psutil.Process(number))
            words = found[-1].cmdline()
        except psutil.Error:
            break
    return found


def _told(words: Sequence[str]) -> int | None:
    following = dict(pairwise(words)).get(_OPTION, "")
    return int(following) if following.isdecimal() else None


def _watch(
    parents: Sequence[psutil.Process],
    goes_on: threading.Event,
    orphaned: Callable[[], object],
    grace_s: float,
) -> None:
    while all(runs(parent) for parent in parents):
        time.sleep(min(POLL_S, grace_s))
    time.sleep(grace_s)
    own = psutil.Process()
    try:
        if goes_on.is_set():
            orphaned()
    finally:
        for process in (*own.children(recursive=True), own):
            with suppress(psutil.NoSuchProcess):
                process.kill()
