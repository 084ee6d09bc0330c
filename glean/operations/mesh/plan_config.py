"""The run config that a member proposes to all: what it typed, checked, on the app's defaults."""

from __future__ import annotations

from collections.abc import Mapping

from glean.errors import SettingsError
from glean.federation.launch.flower_app import app_config
from glean.settings import ConfigValue, RunSettings

_OF_ONE_MACHINE = ("sales", "products", "images", "resume", "start-from", "output-dir")
"""Settings that name a file or a folder, which the others don't have."""


def plan_config(given: Mapping[str, ConfigValue]) -> dict[str, ConfigValue]:
    """Make the whole run config of a run on a mesh.

    Parameters
    ----------
    given : mapping
        Run config that differs from the app's.

    Raises
    ------
    SettingsError
        A run can't have these settings, or not on a mesh.
    """
    named = [key for key in _OF_ONE_MACHINE if given.get(key)]
    if named:
        raise SettingsError(
            f"{', '.join(named)}: found in a run on a mesh; wanted none: it names a file of this "
            "machine, and any member's may come to coordinate the run. Each bakery's own data is "
            "in the file that its `glean mesh run --config` names"
        )
    config = {**app_config(), **given}
    kept = {key: value for key, value in config.items() if key not in _OF_ONE_MACHINE}
    RunSettings.from_config(kept)
    return kept
