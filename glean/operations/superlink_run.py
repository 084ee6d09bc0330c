"""A run on a deployment: checked, submitted to its SuperLink, followed to its end, or stopped."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from glean.federation.launch.connections import find_connection
from glean.federation.launch.deployment_run import RunOutcome, flwr_cli_of, follow_run
from glean.federation.launch.flower_app import app_config, copy_app
from glean.federation.launch.reachability import check_reachable
from glean.operations.run_config import deployment_overrides
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
    """

    connection: str
    overrides: Mapping[str, ConfigValue]


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
        Folder for run folders, where the SuperLink is on this machine; the setting beats it.

    Raises
    ------
    GleanError
        It can't be run so, or nobody answers there.
    """
    overrides = deployment_overrides(given)
    RunSettings.from_config(app_config() | overrides)
    found = find_connection(connection)
    check_reachable(connection, found)
    if results is not None and _is_here(str(found.get("address", ""))):
        overrides.setdefault("output-dir", str(results))
    return PreparedDeployment(connection, overrides)


def run_deployment(
    prepared: PreparedDeployment,
    scratch: Path,
    *,
    started: Callable[[int], None],
    say: Callable[[str], None],
    outcome: RunOutcome,
) -> RunOutcome:
    """Submit a run and follow it to its end.

    Parameters
    ----------
    prepared : PreparedDeployment
        From `prepare_deployment`.
    scratch : Path
        Folder for files that Flower's commands read.
    started : callable
        Told the id of the run once it is known.
    say : callable
        Told each line that the ServerApp logs, as it does.
    outcome : RunOutcome
        Takes in what is known, also where it ends in an error.

    Raises
    ------
    FederationError
        Flower refused it, or the SuperLink can't be reached any more.
    """
    cli = flwr_cli_of(prepared.connection, scratch)
    # All of it: a bakery whose node runs the installed Glean doesn't read the app's own defaults.
    run_id = cli.submit(copy_app(scratch), run_config={**app_config(), **prepared.overrides})
    started(run_id)
    return follow_run(cli, run_id, say, outcome=outcome)


def stop_deployment(connection: str, run_id: int, scratch: Path) -> None:
    """End a run at its SuperLink.

    Raises
    ------
    FederationError
        The SuperLink doesn't answer, or the run has ended.
    """
    flwr_cli_of(connection, scratch).stop(run_id)


def _is_here(address: str) -> bool:
    """Whether a SuperLink's address is this machine's own."""
    host = address.partition("://")[2] or address
    host = host.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
