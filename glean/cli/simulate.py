"""`glean simulate`: a whole federation on this machine, followed until its true end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from glean.cli.errors import friendly_errors
from glean.cli.log_format import LogFormat, tell
from glean.cli.memory import Memory, limit_memory
from glean.cli.registry import (
    MlflowOption,
    RegisteredModelOption,
    registry_of,
    sent_to_registry,
)
from glean.cli.signals import ended_by_signals
from glean.cli.typed_settings import typed_settings
from glean.cli.uploads import StorageOption, Upload, UploadOption, open_checked, uploading
from glean.cli.workers import Workers, share_work_out
from glean.errors import FederationError
from glean.registry.model_uri import DEFAULT_NAME

if TYPE_CHECKING:
    from glean.operations.registry.sending import Registry
    from glean.operations.running.simulation import PreparedSimulation
    from glean.storage.store import Storage

RUN_FAILED = 1
"""Exit code of a command whose run failed."""

ResumeOption = Annotated[
    str | None,
    typer.Option(
        help="Folder of a run that was interrupted, or its URL: continue it, as it was set."
    ),
]

SalesOption = Annotated[
    str | None,
    typer.Option(help="Sales table, or its URL; without it, or images, data are synthetic."),
]


@friendly_errors()
def simulate(
    engine: Annotated[
        Literal["ray", "inprocess"],
        typer.Option(help="ray: Flower's simulation; inprocess: the same apps in this process."),
    ] = "ray",
    bakeries: Annotated[
        int | None,
        typer.Option(min=1, help="How many; of a table the first by name (default: all)."),
    ] = None,
    sales: SalesOption = None,
    profile: Annotated[
        Path | None, typer.Option(help="Resources for Ray: a TOML file of Flower's flat keys.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Run config; may be repeated."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for results.", show_default="results")
    ] = None,
    growth: Annotated[
        bool,
        typer.Option("--growth", help="Also measure what more bakeries bring (minutes)."),
    ] = False,
    workers: Workers = 0,
    memory: Memory = "",
    resume: ResumeOption = None,
    storage: StorageOption = "",
    upload: UploadOption = "run",
    mlflow: MlflowOption = "",
    registered_model: RegisteredModelOption = DEFAULT_NAME,
    _: LogFormat = "text",
) -> None:
    """Run a federation on this machine and show what it brings.

    Exit codes: 0 completed, 1 failed, 2 not a run that can be done, 130 ended by Ctrl-C, 143 by
    kill.
    """
    share_work_out(workers)
    limit_memory(memory)
    from glean.operations.running.progress import read_progress
    from glean.operations.running.simulation import prepare_simulation
    from glean.runs.index import COMPLETED

    store = open_checked(storage)
    given = typed_settings(set_ or [], sales=sales, resume=resume)
    registry = registry_of(mlflow, registered_model)
    prepared = prepare_simulation(
        given, engine=engine, bakeries=bakeries, results=out, profile=profile
    )
    with ended_by_signals(), sending(prepared, (store, upload), registry) as began:
        folder = _run(prepared, began)
    run = read_progress(folder)
    if run.status != COMPLETED:
        tell(f"the run failed: {run.reason}\nits folder: {folder}", level=logging.ERROR)
        raise typer.Exit(RUN_FAILED)
    _show(folder, growth=growth)


def _show(folder: Path, *, growth: bool) -> None:
    from glean.cli.report import show_report, show_results
    from glean.languages.language import ENGLISH

    if growth:
        show_report(folder, ENGLISH, growth=True)
    else:
        show_results(folder)


@contextmanager
def sending(
    prepared: PreparedSimulation,
    storage: tuple[Storage | None, Upload],
    registry: Registry | None,
) -> Iterator[Sequence[Callable[[int], None]]]:
    """Send a run where it was asked to be sent while the body runs; all given are told its id."""
    results = prepared.simulation.results
    with uploading(*storage, results) as uploads, sent_to_registry(registry, results) as registered:
        yield uploads, registered


def _run(prepared: PreparedSimulation, began: Sequence[Callable[[int], None]]) -> Path:
    from glean.cli.progress import following
    from glean.operations.running.simulation import run_simulation

    with following(prepared.simulation.results, prepared.rounds, prepared.language) as shown:

        def known(run_id: int) -> None:
            for tell in (shown, *began):
                tell(run_id)

        try:
            return run_simulation(prepared, known)
        except FederationError as error:
            tell(f"the run failed: {error}", level=logging.ERROR)
            raise typer.Exit(RUN_FAILED) from None
