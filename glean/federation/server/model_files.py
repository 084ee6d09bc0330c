"""A model's files in a run's folder: its own, and beside it what other programs read."""

from __future__ import annotations

from collections.abc import Mapping

from glean.federation.coordination.global_model import GlobalModel, WeightModel
from glean.federation.workload.registry import load
from glean.runs.folder import RunFolder, checkpoint_name
from glean.settings import RunSettings
from glean.workloads import WORKLOADS


def write_checkpoint(
    folder: RunFolder, number: int, model: GlobalModel, settings: RunSettings
) -> None:
    """Write the model of a round."""
    write_model(folder, checkpoint_name(number, ""), model, settings)


def write_model(folder: RunFolder, stem: str, model: GlobalModel, settings: RunSettings) -> None:
    """Write a model.

    Parameters
    ----------
    folder : RunFolder
        The run's.
    stem : str
        Name in it, without a suffix.
    model : GlobalModel
        What is written; its own file last, by which the others are there once it is.
    settings : RunSettings
        The run's, whose workload says in which other formats.
    """
    for suffix, content in _exported(model, settings).items():
        folder.write_bytes(stem + suffix, content)
    folder.write_bytes(stem + model.suffix, model.to_bytes())


def _exported(model: GlobalModel, settings: RunSettings) -> Mapping[str, bytes]:
    place = WORKLOADS[settings.workload].exported
    if not place or not isinstance(model, WeightModel):
        return {}
    found: Mapping[str, bytes] = load(place)(model.weights)
    return found
