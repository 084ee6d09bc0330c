"""What goes wrong by a person's hand becomes a message and exit code 2, never a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from glean.errors import GleanError

BAD_INPUT = 2
"""Exit code for input or settings that can't be used."""


@contextmanager
def friendly_errors() -> Iterator[None]:
    """Turn a `GleanError` into its message on stderr and exit code 2.

    Serves as a decorator of commands (below `@app.command()`) and as a context.
    """
    try:
        yield
    except GleanError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(BAD_INPUT) from None
