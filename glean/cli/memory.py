"""How much memory a command fills with bakeries' rows: an option of those that play many."""

from __future__ import annotations

import os
from typing import Annotated

import typer

Memory = Annotated[
    str,
    typer.Option(
        show_default="1G",
        help="Memory for bakeries' rows in each process, like 512M or 2G; what is more goes to "
        "temporary files. Also GLEAN_MEMORY.",
    ),
]


def limit_memory(amount: str) -> None:
    """Let this command, and what it starts, use so much each; "": what the environment says.

    Raises
    ------
    SettingsError
        It is no amount.
    """
    from glean.errors import SettingsError
    from glean.memory_limit import MEMORY, memory_of

    if amount:
        try:
            memory_of({MEMORY: amount})
        except SettingsError as error:
            raise SettingsError(str(error).replace(MEMORY, "--memory")) from None
        os.environ[MEMORY] = amount
    memory_of(os.environ)
