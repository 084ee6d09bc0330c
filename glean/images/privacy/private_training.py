"""DP-SGD: gradients by picture, clipped, summed and noised (Abadi et al., CCS 2016).

Opacus gives the gradient of each picture, clips and sums them. Draws are of Glean's own
(`glean/privacy/keyed_noise.py`): they follow from a key, so that a round that is asked for again
releases the same bytes and not a second draw, whose mean would carry less noise.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from opacus import GradSampleModule
from opacus.optimizers import DPOptimizer
from opacus.validators import ModuleValidator
from torch import nn

from glean.errors import SettingsError
from glean.images.image_spec import ImageSpec
from glean.images.image_subset import ImageSubset
from glean.images.networks.network import network_with, weights_of
from glean.images.networks.training import SGDOptions, pull, tensors
from glean.images.privacy.noise_plan import NoisePlan
from glean.learning.model_weights import Weights
from glean.privacy.keyed_noise import KeyedNoise, derived_key

_AT_ONCE = 64
"""Pictures whose gradients are in memory together: of each there is one for every weight."""


def fit_privately(
    weights: Weights,
    pictures: ImageSubset,
    steps: SGDOptions,
    plan: NoisePlan,
    *,
    key: bytes,
    device: str = "cpu",
) -> Weights:
    """Train weights further on pictures for one round, with noise.

    Parameters
    ----------
    weights : Weights
        What the round begins with.
    pictures : ImageSubset
        To learn from.
    steps : SGDOptions
        Momentum, step size, pull.
    plan : NoisePlan
        Sampling, clipping, noise; made for as many pictures.
    key : bytes
        What all draws follow from: 32 bytes that nobody else knows, of this release alone.
    device : str
        Where.
    """
    spec = ImageSpec.from_json(weights.spec)
    network = network_with(weights, device).train()
    check_network(network)
    noise = KeyedNoise(key)
    begun = [values.detach().clone() for values in network.parameters()]
    with _hooked(network) as hooked, _dropout_from(key):
        optimiser = _Optimiser(
            torch.optim.SGD(
                network.parameters(), lr=steps.learning_rate, momentum=steps.local.momentum
            ),
            noise=noise,
            noise_multiplier=plan.noise_multiplier,
            max_grad_norm=plan.clip_norm,
            # Not the number drawn, which one picture changes.
            expected_batch_size=plan.sample_rate * len(pictures),
        )
        if steps.proximal_mu:
            # It depends on no picture, and so goes on top of the noise.
            optimiser.attach_step_hook(lambda _: pull(network, begun, steps.proximal_mu))
        for _ in range(plan.steps):
            drawn = np.flatnonzero(noise.uniforms(len(pictures)) < plan.sample_rate)
            _step(hooked, optimiser, pictures, drawn, spec, device)
        return weights_of(network, weights.kind, weights.spec)


def check_network(network: nn.Module) -> None:
    """Refuse a network that mixes pictures of a batch: no gradient is one picture's alone.

    Raises
    ------
    SettingsError
        It does.
    """
    if errors := ModuleValidator.validate(network, strict=False):
        raise SettingsError(
            f"image-model: with privacy=dp-sgd no gradient may depend on other pictures: "
            f"{errors[0]!s:.200}; wanted another network, with GroupNorm"
        )


class _ByPicture(GradSampleModule):  # type: ignore[misc]  # Opacus has no types
    """Opacus' gradients by picture, for tensors of any layout in memory.

    Those of a convolution are cut out by strides that are right only where channels come first
    (Opacus 1.6.0, `unfold2d`); pictures have them last, and PyTorch keeps a layout through layers.
    """

    def rearrange_grad_samples(self, **given: Any) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Put what a layer was given, and the gradient of what it gave, in plain order."""
        activations, backprops = super().rearrange_grad_samples(**given)
        return [values.contiguous() for values in activations], backprops.contiguous()


class _Optimiser(DPOptimizer):  # type: ignore[misc]  # Opacus has no types
    """Opacus' optimiser with draws that follow from a key, and gradients that are finite."""

    def __init__(
        self, optimiser: torch.optim.Optimizer, *, noise: KeyedNoise, **given: Any
    ) -> None:
        super().__init__(optimiser, **given)
        self._noise = noise

    def clip_and_accumulate(self) -> None:
        """Leave out a picture whose gradient has no length: nothing clips infinity."""
        lengths = torch.stack([g.flatten(1).norm(2, dim=1) for g in self.grad_samples], dim=1)
        endless = ~lengths.isfinite().all(dim=1)
        if endless.any():
            for values in self.params:
                values.grad_sample[endless] = 0.0
        super().clip_and_accumulate()

    def add_noise(self) -> None:
        """Add to each sum of gradients noise of the plan's standard deviation."""
        scale = self.noise_multiplier * self.max_grad_norm
        for values in self.params:
            drawn = scale * self._noise.normals(values.numel())
            noise = torch.from_numpy(drawn.astype(np.float32)).to(values.device)
            values.grad = values.summed_grad.view_as(values) + noise.view_as(values)


def _step(
    hooked: Any,
    optimiser: _Optimiser,
    pictures: ImageSubset,
    drawn: NDArray[np.int64],
    spec: ImageSpec,
    device: str,
) -> None:
    """Take one step, on whatever was drawn; on nothing it is one of noise."""
    if not len(drawn):
        optimiser.zero_grad(set_to_none=True)
        for values in optimiser.params:
            values.grad_sample = values.new_zeros((0, *values.shape))
        optimiser.step()
        return
    for start in range(0, len(drawn), _AT_ONCE):
        inputs, labels = tensors(pictures, drawn[start : start + _AT_ONCE], spec, device)
        optimiser.zero_grad(set_to_none=True)  # sums of earlier parts stay
        nn.functional.cross_entropy(hooked(inputs), labels, reduction="sum").backward()  # type: ignore[no-untyped-call]
        optimiser.signal_skip_step(do_skip=start + _AT_ONCE < len(drawn))
        optimiser.step()


@contextmanager
def _hooked(network: nn.Module) -> Iterator[Any]:
    """Have gradients by picture, and take all of it off again: the network is kept and used."""
    hooked = _ByPicture(network, loss_reduction="sum")
    try:
        with warnings.catch_warnings():
            # Inputs want no gradient, of which PyTorch warns where a hook is on.
            warnings.filterwarnings("ignore", message="Full backward hook is firing")
            yield hooked
    finally:
        hooked.to_standard_module()
        for values in network.parameters():
            values.grad = None
            if hasattr(values, "summed_grad"):
                del values.summed_grad


@contextmanager
def _dropout_from(key: bytes) -> Iterator[None]:
    """Let a network's own draws, like dropout's, follow from the key too."""
    seed = int.from_bytes(derived_key(key, b"dropout")[:8], "big", signed=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
