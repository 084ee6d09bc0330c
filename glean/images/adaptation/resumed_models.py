"""The models of an interrupted simulation, from which its clients train their own layers again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from glean.federation.wire.messages import FinalTask, Task
from glean.images.image_spec import ImageSpec
from glean.images.reading_weights import read_weights
from glean.learning.model_weights import Weights
from glean.runs.folder import checkpoint_name
from glean.seeds import derived_seed
from glean.settings import RunSettings

LOG = logging.getLogger("glean")


def earlier_models(task: Task, settings: RunSettings) -> Iterator[tuple[int, Weights]]:
    """Give the rounds before a task, each with the model that it began with.

    None where not all of them took place at each client, or the files aren't on this machine: own
    layers begin afresh then.

    Parameters
    ----------
    task : Task
        The first one since the simulation is resumed.
    settings : RunSettings
        The run's; `resume` is the folder of the interrupted one.
    """
    done = task.round if isinstance(task, FinalTask) else task.round - 1
    folder = Path(settings.resume)
    paths = [folder / checkpoint_name(number, ".npz") for number in range(done)]
    if settings.rounds.fraction_train < 1.0 or not all(path.is_file() for path in paths[1:]):
        LOG.warning("own layers begin afresh: the models of all rounds before aren't in %s", folder)
        return
    for number, path in enumerate(paths, start=1):
        if number == 1 and not path.is_file():
            yield number, _first(task, settings)
        else:
            yield number, read_weights(path.read_bytes())


def _first(task: Task, settings: RunSettings) -> Weights:
    from glean.images.networks.network import initial_weights

    seed = derived_seed(settings.seed, "initial weights")
    return initial_weights(settings.image.image_model, ImageSpec.from_json(task.spec), seed=seed)
