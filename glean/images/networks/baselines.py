"""The same network without a federation: alone, or on everybody's pictures in one place."""

from __future__ import annotations

from glean.images.image_spec import ImageSpec
from glean.images.image_subset import ImageSubset
from glean.images.networks.network import initial_weights
from glean.images.networks.training import SGDOptions, fit
from glean.learning.model_weights import Weights
from glean.learning.step_sizes import step_size_in
from glean.seeds import derived_seed
from glean.settings import RunSettings


def trained_alone(
    pictures: ImageSubset,
    spec: ImageSpec,
    settings: RunSettings,
    *,
    learning_rate: float,
    name: str,
    device: str = "cpu",
    network: str = "",
) -> Weights:
    """Train from the federation's own first weights, as often as a client of it goes through its.

    Parameters
    ----------
    pictures : ImageSubset
        To learn from, among the spec's classes.
    spec : ImageSpec
        What the network takes and tells.
    settings : RunSettings
        The run's.
    learning_rate : float
        Of the first round; it follows the run's schedule.
    name : str
        Whose it is, for the draws.
    device : str
        Where, by PyTorch's name.
    network : str
        Which it is; "" the run's.
    """
    seed = derived_seed(settings.seed, "initial weights")
    weights = initial_weights(network or settings.image.image_model, spec, seed=seed)
    for number in range(1, settings.rounds.num_server_rounds + 1):
        steps = SGDOptions(settings.local_training, step_size_in(number, learning_rate, settings))
        seed = derived_seed(settings.seed, "alone", number, name)
        weights = fit(weights, pictures, steps, seed=seed, device=device)
    return weights
