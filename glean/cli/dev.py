"""`glean dev`: all of it on a laptop, from what is installed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glean.cli.errors import friendly_errors
from glean.cli.signals import ended_by_signals
from glean.regular_files import absolute_path

if TYPE_CHECKING:
    from glean.operations.development.development import Development

_LOOK_S = 1.0


@friendly_errors()
def dev(
    folder: Annotated[
        Path, typer.Option(help="Everything lies in it; emptied at the next start.")
    ] = Path(".glean-dev"),
    bakeries: Annotated[int, typer.Option(min=3, max=20, help="How many shops.")] = 3,
    workers: Annotated[int, typer.Option(min=0, max=20, help="How many workers.")] = 2,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Of the control room; 0 takes a free one.")
    ] = 0,
    servers: Annotated[
        bool,
        typer.Option(
            "--servers/--no-servers",
            help="Whether PostgreSQL, RabbitMQ and MLflow are used, where they are installed.",
        ),
    ] = True,
) -> None:
    """Bring up all of it here: database, broker, registry, service, workers, shops that join.

    What isn't installed has something embedded in its place, and that is said. Ctrl-C takes all of
    it down; so does a kill, at the latest the next start in the same folder.
    """
    from glean.installed_packages import check_installed
    from glean.operations.development.development import DevelopmentPlan, develop

    check_installed("alembic", "plotly", "fastapi_offline")
    plan = DevelopmentPlan(absolute_path(folder), bakeries, workers, port, servers)
    with ended_by_signals(), develop(plan, typer.echo) as found:
        typer.echo(f"sign in at {found.service.address} with {found.service.token}")
        typer.echo("all of it is up; Ctrl-C takes it down")
        _watch(found)


def _watch(found: Development) -> None:
    """Say once of each process that it ended by itself; the others go on."""
    processes = (*found.servers.processes, *found.scene.processes)
    # A server that didn't come up had its word already.
    said = {process.pid for process in processes if not process.runs}
    while True:
        for process in processes:
            if not process.runs and process.pid not in said:
                said.add(process.pid)
                typer.echo(f"{process.name} ended by itself; {process.log} says more", err=True)
        time.sleep(_LOOK_S)
