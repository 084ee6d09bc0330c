"""`--database`, as `glean serve` and what works beside it have it."""

from __future__ import annotations

from typing import Annotated

import typer

VARIABLE = "GLEAN_DATABASE"
"""In place of the option, whose password `ps` would show to everybody."""

DatabaseOption = Annotated[
    str,
    typer.Option(
        "--database",
        envvar=VARIABLE,
        help="URL: sqlite:////FOLDER/FILE or postgresql://USER@HOST/NAME; by default a file beside "
        "the results.",
        show_default=False,
    ),
]
