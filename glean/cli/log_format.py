"""How a command that goes on for long logs: lines for people, or JSON for machines."""

from __future__ import annotations

import logging
from typing import Annotated, Any, Literal

import typer

from glean.errors import GleanError
from glean.observability.json_logs import JSON, VARIABLE, log_as_json, logs_json

LOG = logging.getLogger("glean.cli")

_CANT = 2


def _begin(log_format: str) -> str:
    """Begin before other options are looked at, which may have something to say."""
    if log_format == JSON:
        try:
            log_as_json()
        except GleanError as error:
            typer.echo(f"--log-format: {error}", err=True)
            raise typer.Exit(_CANT) from None
    return log_format


LogFormat = Annotated[
    Literal["text", "json"],
    typer.Option(
        "--log-format",
        envvar=VARIABLE,
        is_eager=True,
        callback=_begin,
        help="Of what is said on the error stream; json: an object a line.",
    ),
]
"""Logging begins as it says by itself: commands needn't look at it."""


def tell(text: str, *, level: int = logging.INFO, **fields: Any) -> None:
    """Say something on the error stream: as it is or, where logs are JSON, as a line of them."""
    if logs_json():
        LOG.log(level, "%s", text, extra=fields)
    else:
        typer.echo(text, err=True)
