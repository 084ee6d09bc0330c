"""Run config, node config and environment become frozen settings, checked once at the door.

A key of Flower's run config is a field below with "-" for "_"; its default here and in
`pyproject.toml` are the same (a test compares them). An unknown key, a wrong type or a value out
of range is refused by name, with the value and what is allowed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from typing import Any, Self

from glean.aggregation_kinds import AUTO, automatic
from glean.asynchronous_settings import AsynchronousSettings, mode_problems
from glean.boosting_settings import BoostingSettings, objective_problems
from glean.errors import SettingsError
from glean.image_settings import ImageSettings
from glean.languages.catalogues import translatable as _
from glean.local_training_settings import LocalTrainingSettings
from glean.node_settings import DEFAULT_MIN_CONTRIBUTORS, FEWEST_CONTRIBUTORS
from glean.noise_settings import (
    AUTOMATIC,
    NoiseSettings,
    noise_problems,
    resolved_noise,
    unit_problems,
)
from glean.round_settings import RoundSettings, floor_problems
from glean.setting_fields import (
    TYPE_WORDS,
    ConfigValue,
    checked,
    choice,
    hashed_once,
    key_of,
    number,
    plain,
    unknown_key,
)
from glean.table_settings import TableSettings, WindowSettings
from glean.workloads import DEFAULT_WORKLOAD, WORKLOADS

__all__ = [
    "DEVICE_VARIABLE",
    "BoostingSettings",
    "ConfigValue",
    "RoundSettings",
    "RunSettings",
    "TableSettings",
    "WindowSettings",
    "declared_fields",
    "parse_text",
]

DEVICE_VARIABLE = "GLEAN_DEVICE"
"""Set by a cluster's job with GPUs, for a run whose `device` is "auto"."""

_GROUPS: dict[str, type] = {
    "rounds": RoundSettings,
    "asynchronous": AsynchronousSettings,
    "boosting": BoostingSettings,
    "windows": WindowSettings,
    "table": TableSettings,
    "noise": NoiseSettings,
    "local_training": LocalTrainingSettings,
    "image": ImageSettings,
}


@hashed_once
@dataclass(frozen=True)
class RunSettings:
    """Everything a run is told.

    Examples
    --------
    >>> RunSettings.from_config({"num-server-rounds": 3}).rounds.num_server_rounds
    3
    """

    rounds: RoundSettings = field(default_factory=RoundSettings)
    asynchronous: AsynchronousSettings = field(default_factory=AsynchronousSettings)
    boosting: BoostingSettings = field(default_factory=BoostingSettings)
    windows: WindowSettings = field(default_factory=WindowSettings)
    table: TableSettings = field(default_factory=TableSettings)
    noise: NoiseSettings = field(default_factory=NoiseSettings)
    local_training: LocalTrainingSettings = field(default_factory=LocalTrainingSettings)
    image: ImageSettings = field(default_factory=ImageSettings)
    workload: str = choice(DEFAULT_WORKLOAD, lambda: (*WORKLOADS,), _("what is learned from what"))
    seed: int = number(42, 0, 2**31 - 1, _("seed of everything that is drawn"))
    baselines: bool = plain(True, _("also score local, pooled and the habits"))
    secure_sums: bool = plain(True, _("mask sums; no effect where nothing is masked"))
    min_contributors: int = number(
        0, 0, 1_000_000, _("contributors to each leaf and sum; 0: 5 in a deployment with masks")
    )
    share_scores: str = choice("auto", ("auto", "yes", "no"), _("who sees the scores of each"))
    device: str = choice("auto", ("auto", "cpu", "gpu"), _("where trees and networks learn"))
    resume: str = plain("", _("absolute path of the folder of a run to continue"))
    start_from: str = plain("", _("absolute path of a model to go on from or models:/NAME/VERSION"))
    output_dir: str = plain("", _("folder for results; empty: results"))

    @classmethod
    def from_config(
        cls,
        config: Mapping[str, ConfigValue],
        environment: Mapping[str, str] = os.environ,
        *,
        deployed: bool = False,
    ) -> Self:
        """Check a run config (kebab-case keys) and freeze it.

        Parameters
        ----------
        config : mapping
            What was given; a key that is missing has its default.
        environment : mapping
            Where `device` is "auto", its variable `GLEAN_DEVICE` may say which.
        deployed : bool
            Whether clients have data of their own: `privacy` "auto" is noise then.

        Raises
        ------
        SettingsError
            An unknown key, a wrong type, or a value out of range; all of them, a line each.
        """
        known = declared_fields()
        problems = [unknown_key(key, known) for key in config if key not in known]
        values: dict[str, ConfigValue] = {}
        for key, value in config.items():
            if key in known:
                try:
                    values[key] = checked(key, value, known[key])
                except SettingsError as error:
                    problems.append(str(error))
        if values.get("device", "auto") == "auto" and environment.get(DEVICE_VARIABLE):
            values["device"] = _device_of(environment)
        if problems:
            raise SettingsError("\n".join(problems))
        told = str(values.get("privacy", AUTO))
        workload = values.get("workload", DEFAULT_WORKLOAD)
        by_steps = workload in WORKLOADS and WORKLOADS[str(workload)].by_steps
        values |= resolved_noise(values, deployed=deployed, by_steps=by_steps)
        groups = {name: _group(group, values) for name, group in _GROUPS.items()}
        rest = {f.name: values[key_of(f)] for f in fields(cls) if key_of(f) in values}
        settings = cls(**groups, **rest)  # type: ignore[arg-type]
        settings = settings._for_workload()
        try:
            settings.check_together()
        except SettingsError as error:
            if told == settings.noise.privacy:
                raise
            raise SettingsError(f"{error}\n{AUTOMATIC}") from error
        return settings

    def _for_workload(self) -> Self:
        """Take an aggregation that the workload's model can be trained by, by name."""
        name, row = self.rounds.aggregation, WORKLOADS[self.workload]
        if row.aggregations and name not in row.aggregations:
            name = row.aggregations[0]
        if name == AUTO:
            name = automatic(noised=self.noise.wanted)
        rate = self.rounds.learning_rate or row.learning_rate
        rounds = replace(self.rounds, aggregation=name, learning_rate=rate)
        return replace(self, rounds=rounds)

    def check_together(self) -> None:
        """Refuse settings that are fine by themselves and don't go together.

        Raises
        ------
        SettingsError
            Says which.
        """
        kind = self.rounds.kind
        if 0 < self.min_contributors < FEWEST_CONTRIBUTORS:
            raise SettingsError(
                f"min-contributors: found {self.min_contributors}; wanted 0 or one from "
                f"{FEWEST_CONTRIBUTORS} up: of two each would know the other's part"
            )
        row = WORKLOADS[self.workload]
        if self.device == "gpu" and kind.cpu_only and not row.on_gpu:
            raise SettingsError(
                f"device: found 'gpu'; {kind.name} learns on the CPU: wanted 'cpu' or 'auto'"
            )
        if kind.proximal and not row.by_steps:
            raise SettingsError(
                f"aggregation: found {kind.name!r}; clients of workload={self.workload} take no "
                "steps of their own that could be held back: wanted 'fedavg'"
            )
        problems = [
            *objective_problems(self.boosting, kind),
            *unit_problems(self.noise, self.workload, by_steps=row.by_steps),
            *self.floor_problems(deployed=False),
            *noise_problems(
                self.noise,
                self.rounds,
                secure_sums=self.secure_sums,
                share_scores=self.share_scores,
            ),
        ]
        if problems:
            raise SettingsError("\n".join(problems))

    def floor_problems(self, *, deployed: bool) -> Iterator[str]:
        """Say what doesn't go together with a floor under what is opened, a line each."""
        floor = 0 if self.noise.wanted else self.contributors_floor(deployed=deployed)
        yield from floor_problems(self.rounds, floor, deployed=deployed)
        shown = self.shows_scores(deployed=deployed)
        told = self.rounds, self.noise, self.asynchronous, self.min_contributors
        yield from mode_problems(*told, deployed=deployed, shows_scores=shown)

    def contributors_floor(self, *, deployed: bool) -> int:
        """How many bakeries what is opened has to be of; 0: however few.

        In a simulation, where all tables are the operator's own, only where it is asked for.
        """
        return self.min_contributors or DEFAULT_MIN_CONTRIBUTORS * (deployed and self.secure_sums)

    def shows_scores(self, *, deployed: bool) -> bool:
        """Whether each bakery's scores may be seen; "auto": everywhere but in a deployment.

        In a simulation all tables are the operator's own.
        """
        if not self.secure_sums:
            return True
        return self.share_scores == "yes" or (self.share_scores == "auto" and not deployed)

    @property
    def chance_setback(self) -> float:
        """By which share a round may make the validation score worse by chance."""
        return WORKLOADS[self.workload].chance_setback or self.rounds.kind.chance_setback

    @property
    def tree_device(self) -> str:
        """Either "cpu" or "gpu"; a bakery's table is too small for a GPU to win by itself."""
        return "gpu" if self.device == "gpu" else "cpu"

    @property
    def covariates(self) -> tuple[str, ...]:
        """Names of the further covariates."""
        return tuple(name.strip() for name in self.table.covariates.split(",") if name.strip())

    def to_config(self) -> dict[str, ConfigValue]:
        """Every key with its value, in the order of `declared_fields`."""
        flat: dict[str, ConfigValue] = {}
        for group in (getattr(self, name) for name in _GROUPS):
            flat |= {key_of(f): getattr(group, f.name) for f in fields(group)}
        return flat | {
            key_of(f): getattr(self, f.name) for f in fields(self) if f.name not in _GROUPS
        }


def declared_fields() -> dict[str, Field[Any]]:
    """Key of the run config -> its field, in the order in which they are documented."""
    found = {key_of(f): f for group in _GROUPS.values() for f in fields(group)}
    return found | {key_of(f): f for f in fields(RunSettings) if f.name not in _GROUPS}


def group_of(key: str) -> str:
    """Give the name of the group of settings that a key belongs to; "" for one of none."""
    return next((n for n, group in _GROUPS.items() if key in map(key_of, fields(group))), "")


def parse_text(key: str, text: str) -> ConfigValue:
    """Turn the text of `--set KEY=TEXT` into the type that the key is declared with.

    Raises
    ------
    SettingsError
        The key is unknown or the text isn't of its type.
    """
    known = declared_fields()
    if key not in known:
        raise SettingsError(unknown_key(key, known))
    kind: type = type(known[key].default)
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise SettingsError(f"{key}: found {text!r}; wanted true or false")
        return text.lower() == "true"
    try:
        value: ConfigValue = kind(text)
    except ValueError:
        raise SettingsError(f"{key}: found {text!r}; wanted {TYPE_WORDS[kind]}") from None
    return checked(key, value, known[key])


def _group(group: type, values: Mapping[str, ConfigValue]) -> Any:
    return group(**{f.name: values[key_of(f)] for f in fields(group) if key_of(f) in values})


def _device_of(environment: Mapping[str, str]) -> ConfigValue:
    try:
        return checked("device", environment[DEVICE_VARIABLE], declared_fields()["device"])
    except SettingsError as error:
        raise SettingsError(f"the environment variable {DEVICE_VARIABLE}: {error}") from None
