"""`glean run`: a run on a deployment, followed until its true end."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glean.cli.errors import friendly_errors
from glean.cli.signals import ended_by_signals
from glean.cli.typed_settings import typed_settings
from glean.errors import FederationError
from glean.federation.launch.flower_app import app_config
from glean.settings import ConfigValue, RunSettings

if TYPE_CHECKING:
    from glean.federation.launch.deployment_run import RunOutcome

RUN_FAILED = 1
"""Exit code of a command whose run failed."""


@friendly_errors()
def run(
    connection: Annotated[
        str, typer.Argument(help="Name of the SuperLink in Flower's configuration.")
    ],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Run config; may be repeated."),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(help="Folder of a run that was interrupted: continue it, as it was set."),
    ] = None,
) -> None:
    """Run a federation across machines, and follow it to its end.

    Ctrl-C ends the following; the run goes on at the server.

    Exit codes: 0 completed, 1 failed, 2 not a run that can be started, 130 no longer followed.
    """
    from glean.federation.launch.connections import find_connection
    from glean.federation.launch.reachability import check_reachable
    from glean.operations.run_config import deployment_overrides

    overrides = deployment_overrides(typed_settings(set_ or [], resume=resume))
    RunSettings.from_config(app_config() | overrides)
    check_reachable(connection, find_connection(connection))
    with tempfile.TemporaryDirectory(prefix="glean-") as scratch:
        _run(connection, overrides, Path(scratch))


def _run(connection: str, overrides: dict[str, ConfigValue], scratch: Path) -> None:
    from glean.federation.launch.deployment_run import RunOutcome, flwr_cli_of, follow_run
    from glean.federation.launch.flower_app import copy_app

    outcome = RunOutcome()
    cli = flwr_cli_of(connection, scratch)
    with ended_by_signals():
        run_id = cli.submit(copy_app(scratch), run_config=overrides)
        typer.echo(f"run {run_id} started at {connection!r}", err=True)
        try:
            follow_run(cli, run_id, lambda line: typer.echo(line, err=True), outcome=outcome)
        except KeyboardInterrupt:
            typer.echo(_goes_on(run_id, connection), err=True)
            raise
        except FederationError as error:
            next_steps = f"{_goes_on(run_id, connection)}\n{_resumes(outcome, connection)}"
            typer.echo(f"lost sight of the run: {error}\n{next_steps}", err=True)
            raise typer.Exit(RUN_FAILED) from None
    if outcome.reason:
        where = f"\nits folder, at the server: {outcome.results}" if outcome.results else ""
        typer.echo(f"the run failed: {outcome.reason}{where}", err=True)
        raise typer.Exit(RUN_FAILED)
    _show(outcome, run_id)


def _show(outcome: RunOutcome, run_id: int) -> None:
    folder = outcome.here(run_id)
    if folder is None:
        typer.echo(f"{outcome.summary}\nthe results are on the server's machine: {outcome.results}")
        return
    from glean.cli.report import show_results

    show_results(folder)


def _resumes(outcome: RunOutcome, connection: str) -> str:
    folder = outcome.results or "FOLDER"
    return (
        "If it has ended (its run.json, at the server, names a process that has gone), continue it "
        f"there: glean run {connection} --resume {folder}"
    )


def _goes_on(run_id: int, connection: str) -> str:
    return (
        f"The run may go on at the server. To follow it: flwr log {run_id} {connection} --stream\n"
        f"To end it: flwr stop {run_id} {connection}"
    )
