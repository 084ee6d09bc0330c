"""`glean run`: a run on a deployment, followed until its true end."""

from __future__ import annotations

import logging
import shlex
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glean.cli.errors import friendly_errors
from glean.cli.log_format import LogFormat, tell
from glean.cli.registry import (
    MlflowOption,
    RegisteredModelOption,
    registry_of,
    sent_to_registry,
)
from glean.cli.signals import ended_by_signals
from glean.cli.typed_settings import typed_settings
from glean.errors import FederationError
from glean.kafka.kafka_url import is_kafka
from glean.observability.json_logs import logs_json
from glean.observability.log_context import add_log_fields
from glean.registry.model_uri import DEFAULT_NAME
from glean.regular_files import absolute_path

if TYPE_CHECKING:
    from glean.federation.launch.deployment_run import RunOutcome
    from glean.operations.running.superlink_run import PreparedDeployment

RUN_FAILED = 1
"""Exit code of a command whose run failed."""


@friendly_errors()
def run(
    connection: Annotated[
        str,
        typer.Argument(
            help="Name of the SuperLink in Flower's configuration, or kafka://HOST:PORT/FEDERATION."
        ),
    ],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Run config; may be repeated."),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(help="Folder of a run that was interrupted: continue it, as it was set."),
    ] = None,
    mlflow: MlflowOption = "",
    registered_model: RegisteredModelOption = DEFAULT_NAME,
    _: LogFormat = "text",
) -> None:
    """Run a federation across machines, and follow it to its end.

    At a SuperLink, Ctrl-C ends the following; the run goes on at the server. Over Kafka this
    process is the server, and Ctrl-C ends the run.

    Exit codes: 0 completed, 1 failed, 2 not a run that can be started, 130 no longer followed.
    """
    if is_kafka(connection):
        from glean.cli.kafka import run_on_kafka

        run_on_kafka(
            connection,
            typed_settings(set_ or [], resume=resume),
            registry_of(mlflow, registered_model),
        )
        return
    from glean.operations.running.superlink_run import prepare_deployment

    registry = registry_of(mlflow, registered_model)
    prepared = prepare_deployment(connection, typed_settings(set_ or [], resume=resume))
    results = absolute_path(Path(str(prepared.overrides.get("output-dir") or "results")))
    with (
        tempfile.TemporaryDirectory(prefix="glean-") as scratch,
        sent_to_registry(registry, results) as sent,
    ):
        _run(prepared, Path(scratch), sent)


def _run(prepared: PreparedDeployment, scratch: Path, sent: Callable[[int], None]) -> None:
    from glean.federation.launch.deployment_run import RunOutcome
    from glean.operations.running.superlink_run import run_deployment

    outcome, connection = RunOutcome(), prepared.connection
    home = f"FLWR_HOME={shlex.quote(str(prepared.home))} " if prepared.home else ""
    run_id: int | None = None

    def started(number: int) -> None:
        nonlocal run_id
        run_id = number
        if logs_json():
            add_log_fields(run=str(run_id))
        tell(f"run {run_id} started at {connection!r}")
        sent(run_id)

    with ended_by_signals():
        try:
            run_deployment(prepared, scratch, started=started, say=tell, outcome=outcome)
        except KeyboardInterrupt:
            if run_id is not None:
                tell(_goes_on(run_id, connection, home))
            raise
        except FederationError as error:
            if run_id is None:
                raise
            next_steps = f"{_goes_on(run_id, connection, home)}\n{_resumes(outcome, connection)}"
            tell(f"lost sight of the run: {error}\n{next_steps}", level=logging.ERROR)
            raise typer.Exit(RUN_FAILED) from None
    assert run_id is not None, "a run that ended has begun"
    if outcome.reason:
        where = f"\nits folder, at the server: {outcome.results}" if outcome.results else ""
        tell(f"the run failed: {outcome.reason}{where}", level=logging.ERROR)
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


def _goes_on(run_id: int, connection: str, home: str) -> str:
    return (
        "The run may go on at the server. To follow it: "
        f"{home}flwr log {run_id} {connection} --stream\n"
        f"To end it: {home}flwr stop {run_id} {connection}"
    )
