"""Networks by name: Glean's own, and those that an installed package brings.

A package brings one as an entry point of the group `glean_networks`: a function of the number of
classes, of channels and of the pictures' side that gives an `nn.Module`. So the server names only
what a client has installed itself.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points

from torch import nn

from glean.errors import SettingsError

Build = Callable[[int, int, int], nn.Module]

GROUP = "glean_networks"

_GROUPS = 4


def cnn(classes: int, channels: int, size: int) -> nn.Module:
    """Three convolutions and a hidden layer, about 160,000 parameters of ten classes."""
    del size
    return _convolutions(classes, channels, width=32)


def cnn_half(classes: int, channels: int, size: int) -> nn.Module:
    """Half as many channels in each layer of `cnn`, about 40,000 parameters of ten classes."""
    del size
    return _convolutions(classes, channels, width=16)


def cnn_small(classes: int, channels: int, size: int) -> nn.Module:
    """Two convolutions and a hidden layer, about 18,000 parameters of ten classes."""
    del size
    return nn.Sequential(
        *_block(channels, 8, pool=True),
        *_block(8, 16, pool=True),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(16 * 4 * 4, 64),
        nn.ReLU(),
        nn.Linear(64, classes),
    )


def linear(classes: int, channels: int, size: int) -> nn.Module:
    """Multinomial logistic regression on the pixels."""
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * size * size, classes))


NETWORKS: dict[str, Build] = {
    "cnn": cnn,
    "cnn-half": cnn_half,
    "cnn-small": cnn_small,
    "linear": linear,
}


def _convolutions(classes: int, channels: int, *, width: int) -> nn.Module:
    return nn.Sequential(
        *_block(channels, width, pool=True),
        *_block(width, width, pool=True),
        *_block(width, 2 * width),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(2 * width * 4 * 4, 4 * width),
        nn.ReLU(),
        nn.Linear(4 * width, classes),
    )


def _block(inputs: int, outputs: int, *, pool: bool = False) -> list[nn.Module]:
    """Give a convolution, normalised by groups: a batch's statistics would tell of others' rows."""
    pooled = [nn.MaxPool2d(2)] if pool else []  # before the rest, which then has a quarter to do
    return [
        nn.Conv2d(inputs, outputs, 3, padding=1),
        *pooled,
        nn.GroupNorm(_GROUPS, outputs),
        nn.ReLU(),
    ]


def build_of(name: str) -> Build:
    """Find a network by its name.

    Raises
    ------
    SettingsError
        There is none of this name, or the package that has it can't be imported.
    """
    if name in NETWORKS:
        return NETWORKS[name]
    brought = {point.name: point for point in entry_points(group=GROUP)}
    if name not in brought:
        known = ", ".join([*NETWORKS, *sorted(brought)])
        raise SettingsError(
            f"image-model: found {name!r:.80}; known are {known}. An installed package can bring "
            "others (docs/workloads.md)"
        )
    try:
        found: Build = brought[name].load()
    except Exception as error:
        raise SettingsError(f"image-model: {name} can't be imported: {error}") from error
    return found
