"""The settings of what the server may open: sums, or sums with noise; and what goes with noise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from glean.languages.catalogues import translatable as _
from glean.round_settings import RoundSettings
from glean.setting_fields import ConfigValue, choice, number

DP_SGD = "dp-sgd"
"""Noise that each client adds in its own steps; what "noise" means where clients take steps."""

DP_FEDAVG = "dp-fedavg"
"""Noise in sums of clipped updates; what "noise" means there where the unit is a whole client."""

PICTURE, CLIENT = "picture", "client"
"""Units of privacy among which a run of clients that take steps can choose."""


@dataclass(frozen=True)
class NoiseSettings:
    """What the server may open of the sums over all bakeries."""

    privacy: str = choice(
        "auto", ("auto", "noise", "sums", DP_SGD, DP_FEDAVG), _("sums as they are, or with noise")
    )
    privacy_unit: str = choice(
        PICTURE,
        (PICTURE, CLIENT),
        _("whom noise hides in workload=images: dp-sgd or dp-fedavg"),
    )
    epsilon: float = number(
        4.0, 0.01, 50.0, _("what a run spends of a day, a picture or a client, with noise")
    )
    delta: float = number(1e-6, 1e-12, 1e-2, _("chance that epsilon doesn't bound, with noise"))
    validation_scores: int = number(1, 1, 5, _("rounds whose model is scored, with noise"))

    @property
    def wanted(self) -> bool:
        """Whether sums carry noise; "auto" has been resolved where bakeries have own tables."""
        return self.privacy == "noise" or self.by_client

    @property
    def by_client(self) -> bool:
        """Whether noise in sums hides a whole client, whose update is clipped."""
        return self.privacy == DP_FEDAVG

    @property
    def in_steps(self) -> bool:
        """Whether clients train with noise, so that sums of what they trained need none."""
        return self.privacy == DP_SGD


AUTOMATIC = (
    "privacy: 'auto' is noise where clients have tables of their own; among clients that trust "
    "each other and the operator privacy=sums opens sums as they are"
)
"""What is said behind a refusal to whom noise may surprise."""


def resolved_privacy(
    privacy: str, *, deployed: bool, by_steps: bool = False, unit: str = PICTURE
) -> str:
    """Take noise for "auto" where bakeries have tables of their own, and say where it goes.

    Parameters
    ----------
    privacy : str
        The setting.
    deployed : bool
        Whether clients have data of their own.
    by_steps : bool
        Whether they train by steps of their own: the noise is in these then, not in the sums.
    unit : str
        The setting `privacy-unit`: of whole clients the noise is in sums again.

    Examples
    --------
    >>> resolved_privacy("auto", deployed=True), resolved_privacy("sums", deployed=True)
    ('noise', 'sums')
    >>> resolved_privacy("auto", deployed=True, by_steps=True)
    'dp-sgd'
    >>> resolved_privacy("noise", deployed=True, by_steps=True, unit="client")
    'dp-fedavg'
    """
    wanted = "noise" if deployed and privacy == "auto" else privacy
    if not (by_steps and wanted == "noise"):
        return wanted
    return DP_FEDAVG if unit == CLIENT else DP_SGD


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
    mode = f"privacy={noise.privacy}"
    if rounds.kind.unfit_for_noise and not noise.by_client:
        yield (
            f"aggregation: found {rounds.aggregation!r} with {mode}: "
            f"{rounds.kind.unfit_for_noise}; wanted 'auto' or 'oblivious'"
        )
    if not secure_sums:
        yield (
            f"secure-sums: found false with {mode}: the noise comes in parts, and each "
            "client's part alone hides too little; wanted true"
        )
    if share_scores == "yes":
        yield (
            f"share-scores: found 'yes' with {mode}, where no client's scores leave it; "
            "wanted 'auto' or 'no'"
        )
    if rounds.fraction_train < 1.0:
        yield (
            f"fraction-train: found {rounds.fraction_train} with {mode}: two thirds of all "
            "bakeries give the noise that is accounted; wanted 1"
        )
    if rounds.early_stopping_rounds > 0:
        yield (
            f"early-stopping-rounds: found {rounds.early_stopping_rounds} with {mode}, "
            "where few models are scored, and those with noise; wanted 0"
        )


def resolved_noise(
    values: Mapping[str, ConfigValue], *, deployed: bool, by_steps: bool
) -> dict[str, ConfigValue]:
    """Give `privacy` as `resolved_privacy` does, and the unit that its value says by itself."""
    privacy = str(values.get("privacy", "auto"))
    unit = CLIENT if privacy == DP_FEDAVG else str(values.get("privacy-unit", PICTURE))
    found = resolved_privacy(privacy, deployed=deployed, by_steps=by_steps, unit=unit)
    return {"privacy": found, "privacy-unit": unit}


def unit_problems(noise: NoiseSettings, workload: str, *, by_steps: bool) -> Iterator[str]:
    """Say where the workload, or the kind of noise, doesn't have the unit of privacy."""
    if (noise.in_steps or noise.by_client) and not by_steps:
        yield (
            f"privacy: found {noise.privacy!r}; clients of workload={workload} take no steps of "
            "their own that noise could be in: wanted 'noise' or 'sums'"
        )
    elif noise.privacy_unit == CLIENT and (noise.in_steps or not by_steps):
        named = DP_SGD if noise.in_steps else f"workload={workload}"
        yield (
            f"privacy-unit: found 'client' with {named}, whose unit is another one: wanted "
            "privacy=noise and a workload whose clients take steps, like images"
        )
