"""One network in memory at a time, with whatever weights it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import torch
from torch import nn

from glean.errors import ModelError, SettingsError
from glean.images.image_spec import ImageSpec
from glean.images.networks.architectures import build_of
from glean.learning.model_weights import Weights


def initial_weights(name: str, spec: ImageSpec, *, seed: int) -> Weights:
    """Draw the weights before the first round.

    Raises
    ------
    SettingsError
        There is no such network, or it can't be averaged.
    """
    return weights_of(_built(name, spec, seed), name, spec.to_json())


@lru_cache(maxsize=4)
def shapes_of(name: str, spec_text: str) -> Mapping[str, tuple[int, ...]]:
    """Give the shape of each of a network's arrays, by name.

    Raises
    ------
    ModelError
        There is no such network here, or the spec is none.
    """
    spec = ImageSpec.from_json(spec_text)
    try:
        network = _built(name, spec, seed=0)
    except SettingsError as error:
        raise ModelError(str(error)) from error
    return {key: tuple(values.shape) for key, values in network.named_parameters()}


def network_with(weights: Weights, device: str = "cpu") -> nn.Module:
    """Give the network that weights are of, with these in it; the same object each time."""
    network = _kept(weights.kind, weights.spec, device)
    with torch.no_grad():
        for name, values in network.named_parameters():
            values.copy_(torch.from_numpy(weights.arrays[name].copy()))
    return network


def weights_of(network: nn.Module, kind: str, spec: str) -> Weights:
    """Take the weights out of a network."""
    arrays = {
        name: values.detach().cpu().numpy().astype(np.float32)
        for name, values in network.named_parameters()
    }
    return Weights(kind, spec, arrays)


@lru_cache(maxsize=1)
def _kept(kind: str, spec: str, device: str) -> nn.Module:
    return _built(kind, ImageSpec.from_json(spec), seed=0).to(device)


def _built(name: str, spec: ImageSpec, seed: int) -> nn.Module:
    build = build_of(name)
    torch.set_num_threads(1)  # more would add up in another order, to other bytes
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build(len(spec.classes), spec.channels, spec.size)
    if buffers := [key for key, _ in network.named_buffers()]:
        raise SettingsError(
            f"image-model: {name} keeps {', '.join(buffers)} beside its weights, like the running "
            "statistics of BatchNorm, which no average has: wanted GroupNorm"
        )
    if bad := [key for key, values in network.named_parameters() if values.dtype != torch.float32]:
        raise SettingsError(
            f"image-model: {name} has {', '.join(bad)} in another type than float32"
        )
    return network
