"""A run on a deployment: checked, submitted to its SuperLink, followed to its end, or stopped."""

from __future__ import annotations

import ipaddress
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from glean.errors import FederationError
from glean.federation.launch.connections import find_connection, served_home
from glean.federation.launch.deployment_run import RunOutcome, flwr_cli_of, follow_run
from glean.federation.launch.flower_app import app_config, copy_app
from glean.federation.launch.flwr_cli import FlwrCli, SuperLinkGoneError, UnknownRunError
from glean.federation.launch.reachability import check_reachable
from glean.operations.registry.start_model import with_fetched_model
from glean.operations.running.cut_off_deployment import (
    MOST_RESUMES,
    await_superlink,
    cut_off_folder,
    going_on,
    put_down,
)
from glean.operations.running.run_config import deployment_overrides
from glean.regular_files import absolute_path
from glean.settings import ConfigValue, RunSettings


@dataclass(frozen=True)
class PreparedDeployment:
    """A run on a deployment that can be started.

    Parameters
    ----------
    connection : str
        Name of its SuperLink in Flower's configuration.
    overrides : mapping
        Run config that differs from the app's.
    home : Path, optional
        Home of Flower whose configuration that is, where it isn't the user's.
    """

    connection: str
    overrides: Mapping[str, ConfigValue]
    home: Path | None = None


def prepare_deployment(
    connection: str, given: Mapping[str, ConfigValue], *, results: Path | None = None
) -> PreparedDeployment:
    """Check everything that can be checked here before a run is submitted.

    Parameters
    ----------
    connection : str
        Name of the SuperLink in Flower's configuration.
    given : mapping
        Run config that differs from the app's; with `resume`, of a run to continue.
    results : Path, optional
        Folder for run folders, where the SuperLink is on this machine; the setting beats it. By
        default `results`, if its service has that SuperLink. A service's SuperLink is found by
        itself, unless the user's own configuration has one of that name.

    Raises
    ------
    GleanError
        It can't be run so, or nobody answers there.
    """
    overrides = deployment_overrides(with_fetched_model(given, results))
    RunSettings.from_config(app_config() | overrides)
    folder = results or absolute_path(Path("results"))
    home = served_home(connection, folder)
    if home is not None:
        results = folder
    found = find_connection(connection, home)
    check_reachable(connection, found)
    if results is not None and _is_here(str(found.get("address", ""))):
        overrides.setdefault("output-dir", str(results))
    return PreparedDeployment(connection, overrides, home)


def run_deployment(
    prepared: PreparedDeployment,
    scratch: Path,
    *,
    started: Callable[[int], None],
    say: Callable[[str], None],
    outcome: RunOutcome,
) -> RunOutcome:
    """Submit a run and follow it to its end; one that is cut off goes on by itself.

    That is where its process or its SuperLink was killed, and its folder is on this machine: then
    another run takes over its last checkpoint, a limited number of times. A service's SuperLink
    that goes before the run has a folder has forgotten it, so that it begins anew. A run that
    failed by itself, or that somebody stopped, has ended.

    Parameters
    ----------
    prepared : PreparedDeployment
        From `prepare_deployment`.
    scratch : Path
        Folder for files that Flower's commands read.
    started : callable
        Told the id of the run once it is known; of each that goes on from another, too.
    say : callable
        Told each line that the ServerApp logs, as it does.
    outcome : RunOutcome
        Takes in what is known, also where it ends in an error.

    Raises
    ------
    FederationError
        Flower refused it, or the SuperLink can't be reached any more.
    """
    for left in range(MOST_RESUMES, -1, -1):
        run_id = _submit_where_there(prepared, scratch, say)
        started(run_id)
        lost = _watch(prepared, scratch, run_id, say, outcome)
        if left and _forgotten(prepared, scratch, run_id, lost, outcome):
            say("the SuperLink was killed, and the run with it: it begins anew")
            outcome.forget()
            continue
        folder = cut_off_folder(outcome, run_id, lost) if left else None
        if folder is None or not put_down(folder):
            break
        say(f"the run was cut off: {lost or outcome.reason}; it goes on by itself")
        await_superlink(prepared.connection, prepared.home)
        prepared = replace(prepared, overrides=going_on(folder, prepared.overrides, say))
        outcome.forget()
    if lost is not None:
        raise lost
    return outcome


def _submit_where_there(
    prepared: PreparedDeployment, scratch: Path, say: Callable[[str], None]
) -> int:
    """Submit a run; a service's SuperLink that has gone is waited for."""
    for _ in range(MOST_RESUMES):
        try:
            return _submit(prepared, scratch)
        except SuperLinkGoneError:
            # Another one may have taken the run; a service's forgets all when it goes.
            if prepared.home is None:
                raise
            say("the SuperLink has gone; the run begins once it is back")
            await_superlink(prepared.connection, prepared.home)
    return _submit(prepared, scratch)


def _submit(prepared: PreparedDeployment, scratch: Path) -> int:
    # All of it: a bakery whose node runs the installed Glean doesn't read the app's own defaults.
    run_config = {**app_config(), **prepared.overrides}
    shutil.rmtree(scratch / "app", ignore_errors=True)
    return _cli(prepared, scratch).submit(copy_app(scratch), run_config=run_config)


def _watch(
    prepared: PreparedDeployment,
    scratch: Path,
    run_id: int,
    say: Callable[[str], None],
    outcome: RunOutcome,
) -> FederationError | None:
    """Follow a run to its end; why it was lost sight of."""
    try:
        follow_run(_cli(prepared, scratch), run_id, say, outcome=outcome)
    except FederationError as error:
        return error
    return None


def _forgotten(
    prepared: PreparedDeployment,
    scratch: Path,
    run_id: int,
    lost: FederationError | None,
    outcome: RunOutcome,
) -> bool:
    """Whether a run went with a service's SuperLink before anything was known of it here."""
    if prepared.home is None or outcome.here(run_id):
        return False
    if isinstance(lost, SuperLinkGoneError):
        await_superlink(prepared.connection, prepared.home)
        try:
            _cli(prepared, scratch).status(run_id)
        except FederationError:
            return True
    return isinstance(lost, UnknownRunError)


def _cli(prepared: PreparedDeployment, scratch: Path) -> FlwrCli:
    return flwr_cli_of(prepared.connection, scratch, prepared.home)


def stop_deployment(connection: str, run_id: int, scratch: Path, home: Path | None = None) -> None:
    """End a run at its SuperLink.

    Raises
    ------
    FederationError
        The SuperLink doesn't answer, or the run has ended.
    """
    flwr_cli_of(connection, scratch, home).stop(run_id)


def _is_here(address: str) -> bool:
    """Whether a SuperLink's address is this machine's own."""
    host = address.partition("://")[2] or address
    host = host.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
