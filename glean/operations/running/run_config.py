"""The run config that differs from the app's: what is given, and all that a resumed run had."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from glean.errors import FederationError
from glean.federation.launch.flower_app import app_config
from glean.federation.server.interrupted_run import resumed_config
from glean.operations.running.stored_inputs import refuse_addresses
from glean.regular_files import absolute_path
from glean.settings import ConfigValue

_PATHS = ("sales", "products", "images", "resume", "start-from")


def simulation_overrides(given: Mapping[str, ConfigValue]) -> dict[str, ConfigValue]:
    """Make the overrides of a simulation, whose tables lie on this machine.

    Parameters
    ----------
    given : mapping
        Run config that differs from the app's.

    Raises
    ------
    FederationError, SettingsError
        The run to resume can't be, or not with these settings.
    """
    if given.get("resume"):
        return _resumed(given)
    return {**absolute_paths(app_config()), **given, **absolute_paths(given)}


def deployment_overrides(given: Mapping[str, ConfigValue]) -> dict[str, ConfigValue]:
    """Make the overrides of a deployment's run, whose tables lie with the bakeries.

    Raises
    ------
    FederationError, SettingsError
        A path is a URL, or the run to resume isn't on this machine, or can't be resumed with
        these settings.
    """
    refuse_addresses(given)
    if not given.get("resume"):
        return {**given, **absolute_paths(given)}
    run = absolute_path(Path(str(given["resume"])))
    if not run.is_dir():
        raise FederationError(
            f"resume: found no folder {run} here; wanted that of the interrupted run, which is on "
            "the server's machine: continue it from there"
        )
    return _resumed(given)


def absolute_paths(config: Mapping[str, ConfigValue]) -> dict[str, ConfigValue]:
    """Give the paths among settings as absolute ones, since Flower's processes sit elsewhere."""
    return {
        key: str(absolute_path(Path(str(value))))
        for key, value in config.items()
        if key in _PATHS and value
    }


def _resumed(given: Mapping[str, ConfigValue]) -> dict[str, ConfigValue]:
    run = absolute_path(Path(str(given["resume"])))
    return resumed_config(run, {"output-dir": str(run.parent), **given, **absolute_paths(given)})
