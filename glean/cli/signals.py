"""Ctrl-C, `kill` and a closed terminal end a command and all that it started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from glean.cli.log_format import tell
from glean.operations.signals import raised_as_interrupts

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
    with raised_as_interrupts() as got:
        try:
            yield
        except KeyboardInterrupt:
            tell(f"ended by {got[-1].name}")
            raise typer.Exit(_FROM_SIGNALS + got[-1]) from None
