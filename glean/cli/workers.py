"""How many processes share out work on many bakeries: an option of commands that do such work."""

from __future__ import annotations

import os
from typing import Annotated

import typer

Workers = Annotated[
    int,
    typer.Option(
        min=0,
        show_default="all cores",
        help="Processes that share the work of a large federation; 1: none but this. "
        "Also GLEAN_WORKERS.",
    ),
]


def share_work_out(workers: int) -> None:
    """Let this command, and what it starts, use so many processes; 0: those of the environment.

    Where nothing is said, a process for each core.
    """
    from glean.process_pool import WORKERS, cores

    if workers:
        os.environ[WORKERS] = str(workers)
    else:
        os.environ.setdefault(WORKERS, str(cores()))
