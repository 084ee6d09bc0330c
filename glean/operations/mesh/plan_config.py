"""The run config that a member proposes to all: what it typed, checked, on the app's defaults."""

from __future__ import annotations

from collections.abc import Mapping

from glean.errors import SettingsError
from glean.federation.launch.flower_app import app_config
from glean.settings import ConfigValue, RunSettings

_OF_ONE_MACHINE = ("sales", "products", "images", "resume", "start-from", "output-dir")
"""Settings that name a file or a folder, which the others don't have."""


def plan_config(
    given: Mapping[str, ConfigValue], *, members: int | None = None
) -> dict[str, ConfigValue]:
    """Make the whole run config of a run on a mesh.

    Parameters
    ----------
    given : mapping
        Run config that differs from the app's.
    members : int or None
        How many belong to the mesh; None where that isn't known.

    Raises
    ------
    SettingsError
        A run can't have these settings, not on a mesh, or not with so few members.
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
    if members is not None:
        _check_enough(RunSettings.from_config(kept, deployed=True), members)
    return kept


def _check_enough(settings: RunSettings, members: int) -> None:
    """Refuse at once what would wait in vain for bakeries that there aren't."""
    floor = 0 if settings.noise.wanted else settings.contributors_floor(deployed=True)
    for name, wanted in (
        ("min-available-bakeries", settings.rounds.min_available_bakeries),
        ("min-contributors", floor),
    ):
        if members < wanted:
            raise SettingsError(
                f"{name}: found {wanted}, and {members} members of the mesh; wanted no more than "
                f"there are: invite others, or give `--set {name}=NUMBER`. A bakery whose own file "
                "has a min-contributors takes part only where there are as many"
            )
