"""`--database`, as `glean serve` and what works beside it have it."""

from __future__ import annotations

import logging
import re
from typing import Annotated

import typer

from glean.cli.log_format import tell

VARIABLE = "GLEAN_DATABASE"
"""In place of the option, whose password `ps` would show to everybody."""

_WITH_PASSWORD = re.compile(r"://[^/@]*:[^/@]+@")


def _warn_of_password(context: typer.Context, url: str) -> str:
    source = context.get_parameter_source("database")
    if source is not None and source.name == "COMMANDLINE" and _WITH_PASSWORD.search(url):
        tell(
            "--database: everybody on this machine can see its password among the processes; "
            f"{VARIABLE}, or PGPASSWORD for the password alone, keeps it to yourself",
            level=logging.WARNING,
        )
    return url


DatabaseOption = Annotated[
    str,
    typer.Option(
        "--database",
        envvar=VARIABLE,
        callback=_warn_of_password,
        help="URL: sqlite:////FOLDER/FILE or postgresql://USER@HOST/NAME; by default a file beside "
        "the results.",
        show_default=False,
    ),
]
