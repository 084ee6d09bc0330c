"""`glean model-card`: what a model was made of, and whether it is what its card names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glean.cli.errors import friendly_errors
from glean.regular_files import absolute_path


@friendly_errors()
def model_card(
    model: Annotated[
        Path, typer.Argument(help="Run folder, like results/latest; a home; or a model file.")
    ],
    model_key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The operator's model-key.pub: it must be signed by it."),
    ] = None,
    sign: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Vouch for the model: sign its card with model-key."),
    ] = None,
) -> None:
    """Check a model against its card and its signature, and show the card.

    Exit codes: 0 it is what it should be, 2 it isn't.
    """
    from glean.operations.reports.model_card import check_card, sign_card

    path = absolute_path(model)
    if sign is not None:
        typer.echo(f"signed: {sign_card(path, sign)}")
    found = check_card(path, key=model_key)
    typer.echo(f"{found.page}\n{found.model}: {found.verdict}")
