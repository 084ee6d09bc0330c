"""The settings of what a client does in a round of averaged weights that are trained by steps."""

from __future__ import annotations

from dataclasses import dataclass

from glean.languages.catalogues import translatable as _
from glean.setting_fields import choice, number


@dataclass(frozen=True)
class LocalTrainingSettings:
    """Stochastic gradient descent at a client, between two averages."""

    local_epochs: int = number(1, 1, 1000, _("times a client goes through its rows in a round"))
    local_steps: int = number(0, 0, 1_000_000, _("steps a round in place of epochs; 0: epochs"))
    batch_size: int = number(32, 1, 65_536, _("rows a step"))
    momentum: float = number(0.9, 0.0, 0.999, _("share of the last step that the next one keeps"))
    rate_schedule: str = choice(
        "cosine", ("cosine", "constant"), _("how the step size goes over the rounds")
    )
    proximal_mu: float = number(0.01, 0.0, 1e3, _("how fedprox holds clients to the average"))
    clip_norm: float = number(
        1.0, 1e-6, 1e6, _("longest gradient of a picture, with noise in the steps (dp-sgd)")
    )
    update_clip_norm: float = number(
        0.5, 1e-6, 1e6, _("longest update of a client, with noise in sums of them (dp-fedavg)")
    )
