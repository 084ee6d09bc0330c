"""What a piece of work spends its CPU on, by looking at the stack now and then.

A profile that counts every call slows down most what is called most, and short functions look long;
this one slows nothing down. It prints a tree of calls with their shares.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable
from types import CodeType, FrameType

EVERY_S = 0.001

Stack = tuple[CodeType, ...]


def sampled(work: Callable[[], object]) -> tuple[float, Counter[Stack]]:
    """Do the work in this thread; its CPU seconds, and how often each stack was seen."""
    seen: Counter[Stack] = Counter()

    def look(_: int, frame: FrameType | None) -> None:
        stack = []
        while frame is not None:
            stack.append(frame.f_code)
            frame = frame.f_back
        seen[tuple(reversed(stack))] += 1

    before = signal.signal(signal.SIGPROF, look)
    start = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)
    try:
        work()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        spent = time.process_time() - start
        signal.signal(signal.SIGPROF, before)
    return spent, seen


def tree(seen: Counter[Stack], *, below: str, least: float) -> list[tuple[int, str, float]]:
    """Give depth, name and share of all calls below a function that take a share or more.

    Parameters
    ----------
    seen : Counter
        From `sampled`.
    below : str
        The function, as `name_of` names it; its own calls of itself aside.
    least : float
        Smallest share of all samples that is told.
    """
    shares: Counter[tuple[str, ...]] = Counter()
    for stack, times in seen.items():
        names = [name_of(code) for code in stack]
        if below in names:
            inner = names[names.index(below) :]
            for depth in range(1, len(inner) + 1):
                shares[tuple(inner[:depth])] += times
    total = sum(seen.values())
    kept = {path: times / total for path, times in shares.items() if times >= least * total}

    def rank(path: tuple[str, ...]) -> list[tuple[float, str]]:
        return [(-kept[path[: depth + 1]], name) for depth, name in enumerate(path)]

    return [(len(path) - 1, path[-1], kept[path]) for path in sorted(kept, key=rank)]


def name_of(code: CodeType) -> str:
    """Name a function by its file and itself, like `exchange.py:ask`."""
    return f"{code.co_filename.rpartition('/')[2]}:{code.co_name}"
