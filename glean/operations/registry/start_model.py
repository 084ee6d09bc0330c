"""A run that starts from a registered model: its URI among the settings becomes a file here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from glean.registry.fetched_model import fetch, pin
from glean.registry.model_uri import RegisteredModel, is_model_uri
from glean.regular_files import absolute_path
from glean.settings import ConfigValue

SETTING = "start-from"


def with_fetched_model(
    given: Mapping[str, ConfigValue], results: Path | None
) -> dict[str, ConfigValue]:
    """Put the file of a registered model in the place of its URI.

    Parameters
    ----------
    given : mapping
        Run config that differs from the app's.
    results : Path or None
        Folder for run folders, below which the file is kept; by default the setting `output-dir`,
        or "results".

    Raises
    ------
    GleanError
        The registry doesn't answer, or has no such model.
    """
    value = given.get(SETTING)
    if not is_model_uri(value):
        return dict(given)
    model = RegisteredModel.parse(str(value))
    folder = results or Path(str(given.get("output-dir") or "results"))
    return {**given, SETTING: str(fetch(model, absolute_path(folder)))}


def with_pinned_model(given: Mapping[str, ConfigValue]) -> dict[str, ConfigValue]:
    """Put the version that an alias means now in its place: a run may wait for long.

    Raises
    ------
    GleanError
        As `with_fetched_model`.
    """
    value = given.get(SETTING)
    if not is_model_uri(value):
        return dict(given)
    return {**given, SETTING: str(pin(RegisteredModel.parse(str(value))))}
