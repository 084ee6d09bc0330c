"""Stochastic gradient descent on a client's pictures, and what a network says of pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from glean.images.image_spec import ImageSpec
from glean.images.image_subset import ImageSubset
from glean.images.networks.network import network_with, weights_of
from glean.learning.model_weights import Weights
from glean.local_training_settings import LocalTrainingSettings

Floats = NDArray[np.float64]

_SCORED_AT_ONCE = 256


@dataclass(frozen=True)
class SGDOptions:
    """How a client descends in one round.

    Parameters
    ----------
    local : LocalTrainingSettings
        Epochs or steps, batches, momentum.
    learning_rate : float
        Step size of this round.
    proximal_mu : float
        Pull towards the weights that the round began with (Li et al. 2020, FedProx); 0: none.
    """

    local: LocalTrainingSettings
    learning_rate: float
    proximal_mu: float = 0.0


def fit(
    weights: Weights, pictures: ImageSubset, steps: SGDOptions, *, seed: int, device: str = "cpu"
) -> Weights:
    """Train weights further on pictures for one round; the seed draws the order."""
    spec = ImageSpec.from_json(weights.spec)
    network = network_with(weights, device).train()
    begun = [values.detach().clone() for values in network.parameters()]
    optimiser = torch.optim.SGD(
        network.parameters(), lr=steps.learning_rate, momentum=steps.local.momentum
    )
    for places in batches(len(pictures), steps.local, seed=seed):
        inputs, labels = tensors(pictures, places, spec, device)
        optimiser.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(network(inputs), labels).backward()  # type: ignore[no-untyped-call]
        if steps.proximal_mu:
            pull(network, begun, steps.proximal_mu)
        optimiser.step()
    return weights_of(network, weights.kind, weights.spec)


def probabilities(weights: Weights, pictures: ImageSubset, *, device: str = "cpu") -> Floats:
    """Give the probability of each class, shape (pictures, classes)."""
    spec = ImageSpec.from_json(weights.spec)
    network = network_with(weights, device).eval()
    found = np.empty((len(pictures), len(spec.classes)))
    with torch.no_grad():
        for start in range(0, len(pictures), _SCORED_AT_ONCE):
            places = np.arange(start, min(start + _SCORED_AT_ONCE, len(pictures)))
            inputs, _ = tensors(pictures, places, spec, device)
            found[places] = network(inputs).double().softmax(dim=1).cpu().numpy()
    return found


def batches(count: int, local: LocalTrainingSettings, *, seed: int) -> Iterator[NDArray[np.int64]]:
    """Give the places of each step's rows, in an order that is drawn anew for each epoch."""
    rng = np.random.default_rng(seed)
    a_pass = -(-count // local.batch_size)
    left = local.local_steps or local.local_epochs * a_pass
    while left:
        order = rng.permutation(count)
        for start in range(0, count, local.batch_size)[:left]:
            yield order[start : start + local.batch_size]
        left -= min(left, a_pass)


def tensors(
    pictures: ImageSubset, places: NDArray[np.int64], spec: ImageSpec, device: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Give inputs of shape (rows, channels, side, side) and labels of some of the pictures."""
    chosen = pictures.places[places]
    pixels = pictures.pixels[chosen]
    white = float(np.iinfo(pixels.dtype).max)
    scaled = (pixels.astype(np.float32) / white - spec.mean) / spec.std
    inputs = torch.from_numpy(scaled.astype(np.float32)).to(device).permute(0, 3, 1, 2)
    return inputs, torch.from_numpy(pictures.labels[chosen]).to(device)


def pull(network: nn.Module, begun: list[torch.Tensor], mu: float) -> None:
    """Add the gradient of mu / 2 times the squared distance to where the round began."""
    for values, start in zip(network.parameters(), begun, strict=True):
        assert values.grad is not None, "every parameter is used"
        values.grad.add_(values.detach() - start, alpha=mu)
