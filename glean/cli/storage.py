"""`glean storage`: what a store has, a run from there, and runs sent there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glean.cli.errors import friendly_errors
from glean.cli.uploads import counted
from glean.regular_files import absolute_path

app = typer.Typer(
    name="storage", help="Runs on a store: list, fetch and send them.", no_args_is_help=True
)

NOT_SENT = 1
"""Exit code where a run couldn't be sent."""

Results = Annotated[Path, typer.Option("--out", help="Folder of the run folders.")]


@app.command(name="list")
@friendly_errors()
def list_(
    storage: Annotated[str, typer.Argument(metavar="URL", help="Of the store.")],
) -> None:
    """List the runs of a store, the newest first."""
    from glean.storage.fetching import list_stored_runs
    from glean.storage.store import open_storage

    for run in list_stored_runs(open_storage(storage)):
        size = f"{run.bytes / 1e6:9.1f} MB"
        typer.echo(f"{run.name:<40} {run.status:<10} {size}  sent {run.sent_at}")


@app.command()
@friendly_errors()
def fetch(
    run: Annotated[str, typer.Argument(metavar="URL", help="Of a run: STORAGE/runs/NAME.")],
    out: Results = Path("results"),
) -> None:
    """Fetch a run into the results, each file checked by its SHA-256."""
    from glean.storage.address import split_run
    from glean.storage.fetching import fetch_run
    from glean.storage.store import open_storage

    store, name = split_run(run)
    typer.echo(fetch_run(open_storage(store), name, absolute_path(out)))


@app.command()
@friendly_errors()
def send(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(help="Run folders; by default those that couldn't be sent before."),
    ] = None,
    storage: Annotated[
        str, typer.Option("--storage", metavar="URL", help="Where to; by default as before.")
    ] = "",
    out: Results = Path("results"),
) -> None:
    """Send runs: what the store lacks of them.

    Exit codes: 0 all sent, 1 a run wasn't, 2 not something that can be done.
    """
    from glean.storage.run_uploads import RunUploads
    from glean.storage.store import open_storage
    from glean.storage.store_errors import StorageError

    wanted = _wanted(runs or [], storage, absolute_path(out))
    if not wanted:
        typer.echo(f"nothing to send in {absolute_path(out)}")
    failed = False
    for folder, url in wanted:
        try:
            sent = RunUploads(open_storage(url), folder).send()
        except StorageError as error:
            typer.echo(f"{folder.name} not sent: {error}", err=True)
            failed = True
        else:
            typer.echo(f"{folder.name} sent to {url}: {counted(sent)}")
    if failed:
        raise typer.Exit(NOT_SENT)


def _wanted(runs: list[Path], storage: str, results: Path) -> list[tuple[Path, str]]:
    """Give which folders are sent, and where each goes."""
    from glean.errors import GleanError
    from glean.storage.address import read_address
    from glean.storage.sent_marker import read_marker, unsent_runs

    if not runs:
        found = unsent_runs(results)
        url = read_address(storage).url if storage else ""
        return [(folder, known) for folder, known in found if url in ("", known)]
    wanted = []
    for run in runs:
        folder = absolute_path(run)
        marker = read_marker(folder)
        url = storage or (marker.url if marker is not None else "")
        if not url:
            raise GleanError(f"{run}: found no store that it was sent to; wanted --storage URL")
        wanted.append((folder, url))
    return wanted
