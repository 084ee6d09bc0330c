"""The settings of the workload of pictures: which they are, who has which, which network learns."""

from __future__ import annotations

from dataclasses import dataclass

from glean.languages.catalogues import translatable as _
from glean.setting_fields import choice, number, plain

LARGEST_SIDE = 512
"""Pixels; beyond it a network of these sizes learns from scaled pictures as well."""


@dataclass(frozen=True)
class ImageSettings:
    """What is learned from pictures."""

    images: str = plain("", _("absolute path of pictures; empty: drawn shapes"))
    image_model: str = plain(
        "cnn", _("network that learns: cnn, cnn-half, cnn-small, linear or an own one")
    )
    image_models: str = plain("", _("networks of a simulation's clients in turn, with commas"))
    adapt_weights: bool = plain(False, _("let clients train networks of their own in part"))
    adapt_shapes: bool = plain(
        False, _("pad and cut layers of their networks that differ in shape")
    )
    adapt_share: float = number(
        0.5, 0.0, 1.0, _("share of such a network that is the run's, or it begins afresh")
    )
    image_size: int = number(0, 0, LARGEST_SIDE, _("side to scale pictures to, pixels; 0: as is"))
    image_channels: str = choice("auto", ("auto", "1", "3"), _("1: grey, 3: colour"))
    image_mean: float = number(0.5, 0.0, 1.0, _("brightness that counts as zero, black 0, white 1"))
    image_std: float = number(0.5, 0.01, 10.0, _("brightness that counts as a unit"))
    partitioner: str = choice(
        "dirichlet",
        ("dirichlet", "iid", "quantity", "shard"),
        _("how a simulation splits pictures over clients"),
    )
    alpha: float = number(
        0.5, 0.01, 1e6, _("evenness of dirichlet and quantity; the less the odder")
    )
    reduced_data: int = number(0, 0, 10_000_000, _("training pictures a client uses; 0: all"))
