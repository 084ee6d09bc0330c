"""The settings of what the server may open: sums, or sums with noise; and what goes with noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from glean.languages.catalogues import translatable as _
from glean.round_settings import RoundSettings
from glean.setting_fields import choice, number

DP_SGD = "dp-sgd"
"""Noise that each client adds in its own steps; what "noise" means where clients take steps."""


@dataclass(frozen=True)
class NoiseSettings:
    """What the server may open of the sums over all bakeries."""

    privacy: str = choice(
        "auto", ("auto", "noise", "sums", DP_SGD), _("sums as they are, or with noise")
    )
    epsilon: float = number(
        4.0, 0.01, 50.0, _("what a run spends of a day's privacy, or a picture's, with noise")
    )
    delta: float = number(1e-6, 1e-12, 1e-2, _("chance that epsilon doesn't bound, with noise"))
    validation_scores: int = number(1, 1, 5, _("rounds whose model is scored, with noise"))

    @property
    def wanted(self) -> bool:
        """Whether sums carry noise; "auto" has been resolved where bakeries have own tables."""
        return self.privacy == "noise"

    @property
    def in_steps(self) -> bool:
        """Whether clients train with noise, so that sums of what they trained need none."""
        return self.privacy == DP_SGD


AUTOMATIC = (
    "privacy: 'auto' is noise where bakeries have tables of their own; among bakeries that trust "
    "each other and the operator privacy=sums opens sums as they are"
)
"""What is said behind a refusal to whom noise may surprise."""


def resolved_privacy(privacy: str, *, deployed: bool, by_steps: bool = False) -> str:
    """Take noise for "auto" where bakeries have tables of their own, and say where it goes.

    Parameters
    ----------
    privacy : str
        The setting.
    deployed : bool
        Whether clients have data of their own.
    by_steps : bool
        Whether they train by steps of their own: the noise is in these then, not in the sums.

    Examples
    --------
    >>> resolved_privacy("auto", deployed=True), resolved_privacy("sums", deployed=True)
    ('noise', 'sums')
    >>> resolved_privacy("auto", deployed=True, by_steps=True)
    'dp-sgd'
    """
    wanted = "noise" if deployed and privacy == "auto" else privacy
    return DP_SGD if by_steps and wanted == "noise" else wanted


def noise_problems(
    noise: NoiseSettings,
    rounds: RoundSettings,
    *,
    secure_sums: bool,
    share_scores: str,
) -> Iterator[str]:
    """Say what of a run's settings doesn't go together with noise, a line each."""
    if not noise.wanted:
        return
    if rounds.kind.unfit_for_noise:
        yield (
            f"aggregation: found {rounds.aggregation!r} with privacy=noise: "
            f"{rounds.kind.unfit_for_noise}; wanted 'auto' or 'oblivious'"
        )
    if not secure_sums:
        yield (
            "secure-sums: found false with privacy=noise: the noise comes in parts, and each "
            "bakery's part alone hides too little; wanted true"
        )
    if share_scores == "yes":
        yield (
            "share-scores: found 'yes' with privacy=noise, where no bakery's scores leave it; "
            "wanted 'auto' or 'no'"
        )
    if rounds.fraction_train < 1.0:
        yield (
            f"fraction-train: found {rounds.fraction_train} with privacy=noise: two thirds of all "
            "bakeries give the noise that is accounted; wanted 1"
        )
    if rounds.early_stopping_rounds > 0:
        yield (
            f"early-stopping-rounds: found {rounds.early_stopping_rounds} with privacy=noise, "
            "where few models are scored, and those with noise; wanted 0"
        )
