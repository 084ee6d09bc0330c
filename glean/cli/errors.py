"""What goes wrong by a person's hand becomes a message and exit code 2, never a traceback."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from glean.cli.log_format import tell
from glean.errors import GleanError
from glean.regular_files import no_working_directory, words_of

BAD_INPUT = 2
"""Exit code for input, settings or a disk that can't be used."""


@contextmanager
def friendly_errors() -> Iterator[None]:
    """Turn a `GleanError`, or a file that can't be used, into a line on stderr and exit code 2.

    Serves as a decorator of commands (below `@app.command()`) and as a context.
    """
    try:
        yield
    except BrokenPipeError:
        raise  # whoever read what is printed has had enough
    except (GleanError, OSError) as error:
        tell(_message(error), level=logging.ERROR)
        raise typer.Exit(BAD_INPUT) from None


def _message(error: GleanError | OSError) -> str:
    if isinstance(error, GleanError):
        return str(error)
    return words_of(error) if _has_working_directory() else no_working_directory()


def _has_working_directory() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True
