"""Signals that ask a process to end do what Ctrl-C does: what it started is tidied up."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def raised_as_interrupts() -> Iterator[list[signal.Signals]]:
    """Let SIGTERM and SIGHUP raise KeyboardInterrupt in the body, as SIGINT does.

    Yields
    ------
    list of Signals
        Its last item is the signal that a KeyboardInterrupt comes from.
    """
    got = [signal.SIGINT]

    def interrupt(number: int, _frame: FrameType | None) -> None:
        got.append(signal.Signals(number))
        raise KeyboardInterrupt

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    caught = [signal.Signals[name] for name in names]
    # What `nohup` ignores stays ignored.
    before = {
        number: signal.signal(number, interrupt)
        for number in caught
        if signal.getsignal(number) not in (signal.SIG_IGN, None)
    }
    try:
        yield got
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
