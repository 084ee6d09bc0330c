"""`glean worker`: takes runs from the queue of a service and runs them, here or elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glean.cli.broker import BrokerOption, broker_url
from glean.cli.database_option import DatabaseOption
from glean.cli.errors import friendly_errors
from glean.cli.log_format import LogFormat, tell
from glean.cli.uploads import StorageOption, storage_url
from glean.regular_files import absolute_path


@friendly_errors()
def worker(
    results: Annotated[
        Path,
        typer.Option(
            help="Folder of the run folders: the one that the service has or, with --storage, its "
            "own."
        ),
    ] = Path("results"),
    database: DatabaseOption = "",
    broker: BrokerOption = "",
    name: Annotated[
        str, typer.Option(help="By which it is known; by default the machine's and a number.")
    ] = "",
    storage: StorageOption = "",
    lease_s: Annotated[
        float,
        typer.Option(
            "--lease-s", min=10, help="Seconds after which a run of a silent worker goes elsewhere."
        ),
    ] = 60.0,
    metrics_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Where Prometheus reads how it is, without a token."),
    ] = None,
    metrics_host: Annotated[
        str, typer.Option(help="Address to listen at for that; by default only this machine's.")
    ] = "127.0.0.1",
    _: LogFormat = "text",
) -> None:
    """Run what is asked for of `glean serve`, one run at a time, on as many machines as there are.

    It takes simulations from the service's queue (glean serve --runs-at-once 0 leaves all to
    workers). One that is killed loses none: another worker goes on with its run from the last
    checkpoint. Ctrl-C or SIGTERM hands the run back. With --storage, that of the service, it needs
    no folder in common with it: runs and tables go and come by the store.
    """
    from glean.installed_packages import check_installed

    check_installed("sqlalchemy")
    from glean.observability.log_context import add_log_fields
    from glean.runs.log_lines import log_to
    from glean.service.settings import ServiceSettings
    from glean.service.worker.opening import run_worker
    from glean.service.worker.settings import WorkerSettings, default_name

    results = absolute_path(results)
    settings = WorkerSettings(
        database=ServiceSettings(results, database=database).database_url,
        results=results,
        name=name or default_name(),
        lease_s=lease_s,
        broker=broker_url(broker),
        storage=storage_url(storage),
        metrics_port=metrics_port,
        metrics_host=metrics_host,
    )
    log_to("stderr")
    add_log_fields(worker=settings.name)
    run_worker(settings, lambda: tell(f"worker {settings.name} waits for runs"))
