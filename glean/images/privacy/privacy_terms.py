"""What a run with noise in its clients' steps promises, and what it doesn't, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from glean.languages.language import Language
from glean.noise_settings import DP_SGD
from glean.settings import RunSettings

UNIT = "one training picture of one client, over all rounds of the run"
ACCOUNTANT = "PRV of Opacus (Gopi et al. 2021), its upper bound"
MECHANISM = "DP-SGD at each client: Poisson samples, gradients clipped by picture, Gaussian noise"


def privacy_terms(settings: RunSettings) -> dict[str, Any]:
    """Say what a run promises of its clients' pictures; nothing where clients train without noise.

    Examples
    --------
    >>> told = {"workload": "images", "privacy": "noise", "epsilon": 8.0}
    >>> privacy_terms(RunSettings.from_config(told))["epsilon"]
    8.0
    """
    if not settings.noise.in_steps:
        return {}
    return {
        "mode": settings.noise.privacy,
        "epsilon": settings.noise.epsilon,
        "delta": settings.noise.delta,
        "unit": UNIT,
        "mechanism": MECHANISM,
        "clip_norm": settings.local_training.clip_norm,
        "accountant": ACCOUNTANT,
        "opened": "sums of weights that clients trained with noise, and scores without any",
        "not_covered": "scores on validation and test pictures; how many pictures a client has",
    }


def promise(settings: Mapping[str, Any], language: Language) -> Iterator[str]:
    """Say what a run with these settings promises of training pictures; nothing without noise."""
    if settings.get("privacy") == DP_SGD:
        yield language.translate(
            "Clients trained with noise (DP-SGD): epsilon {epsilon}, delta {delta}, counted for "
            "one training picture of one client over all rounds, with gradients clipped to "
            "{norm}. Scores carry no noise.",
            epsilon=f"{settings['epsilon']:g}",
            delta=f"{settings['delta']:g}",
            norm=f"{settings['clip-norm']:g}",
        )
