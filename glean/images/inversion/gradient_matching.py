"""Pictures whose gradient is like an update: deep leakage, by the cosine of gradients.

After Zhu et al. 2019, "Deep leakage from gradients", and Geiping et al. 2020, "Inverting
gradients": pictures are drawn at random, and Adam on the sign of the gradient turns them until
what the network would learn from them points where the update does, with a pull to smooth pictures
(total variation). The attacker knows the network and the weights that the round began with, and is
given how many pictures there are and of which classes. A server has to guess that, and gets less.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from glean.errors import GleanError
from glean.images.image_spec import ImageSpec
from glean.images.inversion.linear_inversion import inverted, is_linear
from glean.images.networks.network import network_with
from glean.learning.model_weights import Weights

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Arrays = Mapping[str, NDArray[np.float32]]

_SPREAD = 0.1


@dataclass(frozen=True)
class Search:
    """How long an attack looks, and how; chosen on pictures of another client of MNIST.

    Parameters
    ----------
    steps : int
        Of Adam.
    step_size : float
        Of the first one, in units of the network's inputs; it falls along half a cosine.
    smoothing, last_smoothing : float
        Weight of the total variation at the beginning and at the end.
    """

    steps: int = 500
    step_size: float = 0.2
    smoothing: float = 0.1
    last_smoothing: float = 0.02


def reconstruct(
    weights: Weights,
    updates: Sequence[Arrays],
    labels: Sequence[Labels],
    *,
    seed: int,
    search: Search | None = None,
) -> list[Floats]:
    """Find pictures from updates that are attacked each by itself.

    Parameters
    ----------
    weights : Weights
        What the round began with.
    updates : sequence of mapping of str to float32 array
        Weights after minus before; their length doesn't count.
    labels : sequence of int64 arrays
        Classes of the pictures behind each, as many for each.
    seed : int
        Draws what the search begins with.
    search : Search, optional
        How.

    Returns
    -------
    list of float64 arrays of shape (pictures, height, width, channels)
        Brightness, for each update.

    Raises
    ------
    GleanError
        PyTorch can't take this network's gradients so.
    """
    spec = ImageSpec.from_json(weights.spec)
    if is_linear(weights):
        return [inverted(weights, one, named) for one, named in zip(updates, labels, strict=True)]
    wanted = {
        name: -torch.stack([torch.from_numpy(one[name]) for one in updates])
        for name in weights.arrays
    }
    classes = torch.from_numpy(np.stack([*labels]))
    torch_seed = torch.Generator().manual_seed(seed)
    shape = (*classes.shape, spec.channels, spec.size, spec.size)
    begin = _SPREAD * torch.randn(shape, generator=torch_seed)
    try:
        found = _searched(weights, wanted, classes, begin, spec, search or Search())
    except RuntimeError as error:
        raise GleanError(
            f"image-model: {weights.kind} can't be attacked: {error!s:.200}"
        ) from error
    brightness = (found * spec.std + spec.mean).permute(0, 1, 3, 4, 2).double().numpy()
    return [*brightness.clip(0.0, 1.0)]


def _searched(
    weights: Weights,
    wanted: dict[str, torch.Tensor],
    classes: torch.Tensor,
    begin: torch.Tensor,
    spec: ImageSpec,
    search: Search,
) -> torch.Tensor:
    network = network_with(weights).eval()
    held = {name: values.detach() for name, values in network.named_parameters()}

    def loss(
        values: dict[str, torch.Tensor], inputs: torch.Tensor, y: torch.Tensor
    ) -> torch.Tensor:
        told = torch.func.functional_call(network, values, (inputs,))
        return nn.functional.cross_entropy(told, y)

    gradients = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0))
    low, high = (0.0 - spec.mean) / spec.std, (1.0 - spec.mean) / spec.std
    inputs = begin.clamp(low, high).requires_grad_()
    adam = torch.optim.Adam([inputs], lr=search.step_size, betas=(0.5, 0.999))
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(adam, search.steps)
    shrink = search.last_smoothing / search.smoothing
    for step in range(search.steps):
        smoothing = search.smoothing * shrink ** (step / search.steps)
        away = 1.0 - _cosine(gradients(held, inputs, classes), wanted)
        goal = (away + smoothing * _total_variation(inputs)).sum()
        inputs.grad = torch.autograd.grad(goal, inputs)[0].sign()
        adam.step()
        falling.step()
        with torch.no_grad():
            inputs.clamp_(low, high)
    return inputs.detach()


def _cosine(some: Mapping[str, torch.Tensor], others: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Give the cosine of two gradients over all weights, for each attack."""
    return _products(some, others) / (
        _products(some, some) * _products(others, others)
    ).sqrt().clamp_min(1e-20)


def _products(some: Mapping[str, torch.Tensor], others: Mapping[str, torch.Tensor]) -> torch.Tensor:
    return torch.stack([(some[name] * others[name]).flatten(1).sum(1) for name in others]).sum(0)


def _total_variation(inputs: torch.Tensor) -> torch.Tensor:
    """Give the mean difference of neighbouring pixels, down and across, for each attack."""
    down = (inputs[..., 1:, :] - inputs[..., :-1, :]).abs().flatten(1).mean(1)
    across = (inputs[..., 1:] - inputs[..., :-1]).abs().flatten(1).mean(1)
    return down + across
