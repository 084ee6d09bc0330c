"""`--coming FILE`: what a baker knows of coming days, and what a forecast would like to know."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from glean.languages.language import Language
    from glean.operations.planning.known_future import UnknownInput

Coming = Annotated[
    Path | None,
    typer.Option(
        help="What is known of the coming days: promotion, price, weather, closed days, ..."
    ),
]


def say_what_is_unknown(unknown: Sequence[UnknownInput], language: Language) -> None:
    """Name on stderr what the forecast goes by and wasn't told, if there is any."""
    if unknown:
        said = language.translate(
            "Not told of the coming days, though the forecast goes by it: {inputs}; --coming FILE "
            "tells it.",
            inputs=", ".join(found.in_list(language) for found in unknown),
        )
        typer.echo(said, err=True)
