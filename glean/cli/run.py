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
    from glean.federation.launch.reachability import check

    overrides = _overrides(set_ or [], resume)
    RunSettings.from_config(app_config() | overrides)
    check(connection, find_connection(connection))
    with tempfile.TemporaryDirectory(prefix="glean-") as scratch:
        _run(connection, overrides, Path(scratch))


def _run(connection: str, overrides: dict[str, ConfigValue], scratch: Path) -> None:
    from glean.federation.launch.deployment_run import control_of, follow
    from glean.federation.launch.flower_app import app_folder

    control = control_of(connection, scratch)
    with ended_by_signals():
        run_id = control.submit(app_folder(scratch), run_config=overrides)
        typer.echo(f"run {run_id} started at {connection!r}", err=True)
        try:
            ending = follow(control, run_id, lambda line: typer.echo(line, err=True))
        except KeyboardInterrupt:
            typer.echo(_goes_on(run_id, connection), err=True)
            raise
        except FederationError as error:
            typer.echo(f"lost sight of the run: {error}\n{_goes_on(run_id, connection)}", err=True)
            raise typer.Exit(RUN_FAILED) from None
    if ending.reason:
        where = f"\nits folder, at the server: {ending.results}" if ending.results else ""
        typer.echo(f"the run failed: {ending.reason}{where}", err=True)
        raise typer.Exit(RUN_FAILED)
    _show(ending, run_id)


def _show(ending: RunOutcome, run_id: int) -> None:
    folder = ending.here(run_id)
    if folder is None:
        typer.echo(f"{ending.summary}\nthe results are on the server's machine: {ending.results}")
        return
    from glean.cli.report import show_results

    show_results(folder)


def _goes_on(run_id: int, connection: str) -> str:
    return (
        f"The run may go on at the server. To follow it: flwr log {run_id} {connection} --stream\n"
        f"To end it: flwr stop {run_id} {connection}"
    )


def _overrides(words: list[str], resume: Path | None) -> dict[str, ConfigValue]:
    """Take what was typed and, of a run to continue, all that it was told."""
    typed = typed_settings(words, resume=resume)
    if not typed.get("resume"):
        return typed
    from glean.federation.server.interrupted_run import resumed_config

    run = Path(str(typed["resume"]))
    if not run.is_dir():
        raise FederationError(
            f"resume: found no folder {run} here; wanted that of the interrupted run, which is on "
            "the server's machine: continue it from there"
        )
    return resumed_config(run, {"output-dir": str(run.parent), **typed})
