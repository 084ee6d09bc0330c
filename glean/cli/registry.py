"""The registry of models: the options that name it, and `glean registry` for what wasn't sent."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glean.cli.errors import friendly_errors
from glean.cli.log_format import tell
from glean.registry.model_uri import DEFAULT_NAME
from glean.registry.registry_address import (
    VARIABLE,
    registry_address,
    shown_address,
    use_registry,
)

if TYPE_CHECKING:
    from glean.operations.registry.sending import Registry, Sent

UNSENT = 1
"""Exit code where the registry couldn't be reached, or refused a run."""

MlflowOption = Annotated[
    str,
    typer.Option(
        "--mlflow",
        metavar="URI",
        help=f"MLflow server that runs and models go to; by default {VARIABLE}, if it is set.",
    ),
]

RegisteredModelOption = Annotated[
    str, typer.Option(metavar="NAME", help="Registered model whose versions runs make.")
]

app = typer.Typer(name="registry", help="The registry of models (MLflow).", no_args_is_help=True)


@app.callback()
def registry() -> None:
    """Look after what goes to a registry of models."""


@app.command()
@friendly_errors()
def send(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[RUN...]", help="Run folders; by default all of --results."),
    ] = None,
    results: Annotated[Path, typer.Option(help="Folder of the run folders.")] = Path("results"),
    mlflow: MlflowOption = "",
    registered_model: RegisteredModelOption = DEFAULT_NAME,
) -> None:
    """Send runs to the registry that it hasn't, or hasn't all of.

    Exit codes: 0 the registry has them as far as they are, 1 it can't be reached or refused one.
    """
    from glean.errors import GleanError
    from glean.operations.registry.sending import send_runs
    from glean.regular_files import absolute_path
    from glean.runs.index import run_folders

    where = registry_of(mlflow, registered_model)
    if where is None:
        raise GleanError(f"found no registry; wanted --mlflow URI, or {VARIABLE} set")
    folders = [absolute_path(run) for run in runs or []] or run_folders(absolute_path(results))
    sent = send_runs(folders, where)
    for name in sent.done:
        typer.echo(f"{name}: the registry has it")
    refused = {name for name, _ in sent.refused}
    for folder in () if sent.down else folders:
        if folder.name not in {*sent.done, *refused}:
            typer.echo(f"{folder.name}: goes on; the registry has what there is of it by now")
    _say_what_failed(sent)


def _say_what_failed(sent: Sent) -> None:
    for name, why in sent.refused:
        tell(f"{name}: {why}", level=logging.WARNING)
    if sent.down:
        tell(sent.down, level=logging.WARNING)
    if sent.refused or sent.down:
        raise typer.Exit(UNSENT)


def registry_of(mlflow: str, model: str) -> Registry | None:
    """Make what was typed into the registry that runs go to; None where there is none.

    Raises
    ------
    GleanError
        MLflow's client isn't installed, and an option asks for it.
    """
    from glean.operations.registry.sending import Registry

    address = address_of(mlflow)
    return Registry(address, model) if address else None


def address_of(mlflow: str) -> str:
    """Give the address of the registry, typed or else the environment's; "" where there is none.

    Raises
    ------
    GleanError
        MLflow's client isn't installed, and an option asks for it.
    """
    from glean.errors import GleanError
    from glean.installed_packages import check_installed

    address = use_registry(mlflow)
    if not address:
        return ""
    try:
        check_installed("mlflow", extra="mlflow")
    except GleanError as error:
        if mlflow:
            raise
        # The variable may be there for other programs.
        tell(f"{VARIABLE} is set, yet nothing is sent there: {error}", level=logging.WARNING)
        return ""
    return address


@contextmanager
def sent_to_registry(registry: Registry | None, results: Path) -> Iterator[Callable[[int], None]]:
    """Send a run while the body runs, and at its end; the body tells its id when it knows it."""
    from glean.operations.registry.following import following_registry

    def unsent(problem: str) -> None:
        address = shown_address(registry_address())
        words = ["glean", "registry", "send", "--results", str(results), "--mlflow", address]
        tell(f"not all of the run is in the registry: {problem}", level=logging.WARNING)
        tell(f"later: {shlex.join(words)}")

    with following_registry(registry, results, unsent=unsent) as started:
        yield started
