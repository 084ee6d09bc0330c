"""One run over a carrier: announced, run by the ServerApp in this process, ended."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from flwr.serverapp import ServerApp

from glean.errors import FederationError
from glean.federation.grids.carried_grid import CarriedGrid
from glean.federation.grids.carrier import Carrier
from glean.federation.grids.inprocess import run_inprocess
from glean.federation.grids.run_announcement import ANNOUNCEMENT_FILE, RunAnnouncement
from glean.federation.launch.flower_app import app_name, app_project
from glean.federation.launch.simulation_run import (
    LARGEST_RUN_ID,
    folder_of_run,
    says_how_it_ended,
)
from glean.regular_files import absolute_path, words_of
from glean.runs.code_version import code_fingerprint
from glean.runs.folder import reason_of, write_whole
from glean.runs.index import find_run
from glean.settings import ConfigValue

LOG = logging.getLogger("glean")

COMPLETED = "completed"

_ONLY_HERE = ("output-dir",)
"""Keys of the run config that no client hears of: where the server keeps its runs."""


def run_on_carrier(
    server_app: ServerApp,
    carrier: Carrier,
    run_config: Mapping[str, ConfigValue],
    *,
    started: Callable[[int], None] = lambda _run_id: None,
    goes_on: Callable[[Exception], bool] = lambda _error: False,
) -> Path:
    """Run a ServerApp, in this thread, with clients that a carrier reaches.

    Parameters
    ----------
    server_app : ServerApp
        The app.
    carrier : Carrier
        What carries messages. It isn't closed.
    run_config : mapping
        The whole run config; with `output-dir`, the folder for run folders, or it is "results".
    started : callable
        Told the id of the run once it is known.
    goes_on : callable
        Given an error that ended the ServerApp, says whether another server goes on with the run:
        the error is raised as it is then, and no client is told of an end.

    Returns
    -------
    Path
        The run's folder, whether it succeeded or not.

    Raises
    ------
    FederationError
        It couldn't be announced, or ended without a word.
    """
    run_id = 1 + secrets.randbelow(LARGEST_RUN_ID)
    results = absolute_path(Path(str(run_config.get("output-dir") or "results")))
    config = {**run_config, "output-dir": str(results)}
    announced = _announcement(run_id, config)
    carrier.announce(announced.to_bytes())
    started(run_id)
    reason = COMPLETED
    try:
        run_inprocess(server_app, CarriedGrid(carrier, run_id=run_id), config)
    except Exception as error:
        reason = "" if goes_on(error) else reason_of(error)
        if not reason:
            raise
        if not says_how_it_ended(find_run(results, run_id)):
            raise FederationError(reason) from error
    except BaseException as error:
        reason = reason_of(error)
        raise
    finally:
        _keep_announcement(find_run(results, run_id), announced)
        if reason:
            # Clients that don't hear of it find out by the server's silence.
            with suppress(FederationError):
                carrier.end(reason)
    return folder_of_run(results, run_id)


def _announcement(run_id: int, config: Mapping[str, ConfigValue]) -> RunAnnouncement:
    told = {key: value for key, value in config.items() if key not in _ONLY_HERE}
    release = app_project()["project"]["version"]
    return RunAnnouncement(run_id, app_name(), release, code_fingerprint(), told)


def _keep_announcement(folder: Path | None, announced: RunAnnouncement) -> None:
    """Keep in a run's folder what its clients heard of it, for one that hears of it later."""
    if folder is None:
        return
    try:
        write_whole(folder / ANNOUNCEMENT_FILE, announced.to_bytes())
    except OSError as error:
        LOG.warning("the run's announcement can't be kept: %s", words_of(error))
