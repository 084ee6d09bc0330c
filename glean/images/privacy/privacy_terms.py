"""What a run on pictures with noise promises, and what it doesn't, in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from glean.aggregation.buffered import buffer_size
from glean.federation.wire.noised_parts import client_budget_of
from glean.languages.language import Language
from glean.noise_settings import DP_FEDAVG, DP_SGD
from glean.settings import RunSettings

UNIT = "one training picture of one client, over all rounds of the run"
ACCOUNTANT = "PRV of Opacus (Gopi et al. 2021), its upper bound"
MECHANISM = "DP-SGD at each client: Poisson samples, gradients clipped by picture, Gaussian noise"

CLIENT_UNIT = "one client with all of its pictures, over all rounds of the run"
CLIENT_ACCOUNTANT = "Gaussian differential privacy, its closed form (Dong, Roth and Su 2022)"
CLIENT_MECHANISM = (
    "DP-FedAvg: each client's update clipped as a whole and of the same weight (McMahan et al. "
    "2018), discrete Gaussian noise in parts within the secure sum (Kairouz et al. 2021)"
)

_NOT_COVERED = "which classes a client has, and the size of its pictures"
_WHO = {False: "who takes part", True: "who takes part, and when each is done with its training"}


def privacy_terms(settings: RunSettings) -> dict[str, Any]:
    """Say what a run promises of its clients or their pictures; nothing without noise.

    Examples
    --------
    >>> told = {"workload": "images", "privacy": "noise", "epsilon": 8.0}
    >>> privacy_terms(RunSettings.from_config(told))["epsilon"]
    8.0
    """
    if settings.noise.by_client:
        return _of_clients(settings)
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
    """Say what a run with these settings promises; nothing without noise."""
    if settings.get("privacy") == DP_FEDAVG:
        yield language.translate(
            "Sums of clients' updates carried noise (DP-FedAvg): epsilon {epsilon}, delta {delta}, "
            "counted for one client with all of its pictures over all rounds, with updates clipped "
            "to {norm}.",
            epsilon=f"{settings['epsilon']:g}",
            delta=f"{settings['delta']:g}",
            norm=f"{settings['update-clip-norm']:g}",
        )
    if settings.get("privacy") == DP_SGD:
        yield language.translate(
            "Clients trained with noise (DP-SGD): epsilon {epsilon}, delta {delta}, counted for "
            "one training picture of one client over all rounds, with gradients clipped to "
            "{norm}. Scores carry no noise.",
            epsilon=f"{settings['epsilon']:g}",
            delta=f"{settings['delta']:g}",
            norm=f"{settings['clip-norm']:g}",
        )


LARGEST_NOISE = 0.02
"""Standard deviation of the noise in a mean of updates, in clip norms: beyond it much of what
clients learn is lost on MNIST (`python -m benchmarks.client_noise`)."""


def few_clients(settings: RunSettings, clients: int) -> str:
    """Say where noise that hides whole clients takes much from so many of them; "" elsewhere.

    Examples
    --------
    >>> told = {"workload": "images", "privacy": "dp-fedavg", "epsilon": 8.0}
    >>> few_clients(RunSettings.from_config(told), 10)[:58]
    '10 clients are few for noise that hides a whole client at '
    >>> few_clients(RunSettings.from_config(told), 1000)
    ''
    """
    if not (settings.noise.by_client and clients):
        return ""
    sharing = "all"
    if settings.rounds.buffered:
        size, floor = settings.asynchronous.buffer_size, settings.min_contributors
        clients, sharing = buffer_size(size, clients=clients, floor=floor), "a buffer"
    wanted = math.ceil(client_budget_of(settings).updates / LARGEST_NOISE)
    if clients >= wanted:
        return ""
    return (
        f"{clients} clients are few for noise that hides a whole client at epsilon "
        f"{settings.noise.epsilon:g} over {settings.rounds.num_server_rounds} rounds: the noise is "
        f"shared by {sharing}, and below about {wanted} clients it takes much of what they learn; "
        "a dozen get nothing from it. What helps: more clients, fewer rounds, a smaller network, "
        "or privacy-unit=picture, whose noise each client adds by itself"
    )


def _of_clients(settings: RunSettings) -> dict[str, Any]:
    budget = client_budget_of(settings)
    return {
        "mode": settings.noise.privacy,
        "epsilon": round(budget.spent_when_resumed if settings.resume else budget.spent, 6),
        "delta": budget.delta,
        "unit": CLIENT_UNIT,
        "mechanism": CLIENT_MECHANISM,
        "clip_norm": settings.local_training.update_clip_norm,
        "noise_multiplier": round(budget.updates, 6),
        "accountant": CLIENT_ACCOUNTANT,
        "opened": "sums of clipped updates, and means of clients' accuracies, all with noise",
        "not_covered": f"{_WHO[settings.rounds.buffered]}; {_NOT_COVERED}",
    }
