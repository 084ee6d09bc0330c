"""Ctrl-C, `kill` and a closed terminal end a command and all that it started."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import typer

_FROM_SIGNALS = 128
"""A command ended by signal n exits with 128 + n: 130 after Ctrl-C, 143 after `kill`."""


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP do what Ctrl-C does: raise in the body, so that it tidies up.

    Raises
    ------
    typer.Exit
        Once the body has tidied up after a signal; the exit code says which.
    """
    got = [signal.SIGINT]

    def interrupt(number: int, _frame: FrameType | None) -> None:
        got[0] = signal.Signals(number)
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
        yield
    except KeyboardInterrupt:
        typer.echo(f"ended by {got[0].name}", err=True)
        raise typer.Exit(_FROM_SIGNALS + got[0]) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
