"""The settings of a run as a form shows them: with meanings, ranges and defaults, in groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass
from typing import Any

from glean.federation.launch.flower_app import app_config
from glean.languages.language import Language
from glean.service.api.run_models import PATH_SETTINGS
from glean.setting_fields import INF
from glean.settings import ConfigValue, declared_fields, group_of

USUAL = frozenset(
    [
        "aggregation",
        "num-server-rounds",
        "learning-rate",
        "max-depth",
        "trees-per-round",
        "test-days",
        "validation-days",
        "holiday-region",
        "units-label",
        "scenario",
        "privacy",
        "epsilon",
        "workload",
        "seed",
    ]
)
"""Settings that aren't folded away."""


@dataclass(frozen=True)
class SettingField:
    """A setting as the form shows it.

    Parameters
    ----------
    key, meaning : str
        Its key and what it means.
    value, default : str
        What stands there, and what it is unless told otherwise.
    choices : tuple of str
        What it can be; empty where that isn't a list.
    range : str
        Between what it lies; "" where nothing limits it.
    numeric : bool
        Whether it is a number.
    """

    key: str
    meaning: str
    value: str
    default: str
    choices: tuple[str, ...] = ()
    range: str = ""
    numeric: bool = False


@dataclass(frozen=True)
class SettingGroup:
    """Settings that belong together, the rare ones apart."""

    title: str
    usual: list[SettingField]
    rare: list[SettingField]


def setting_groups(values: Mapping[str, str], language: Language) -> list[SettingGroup]:
    """Give all settings but paths, with what stands in their fields."""
    _ = language.gettext
    titles = {
        "rounds": _("Rounds"),
        "boosting": _("Trees"),
        "windows": _("Training, choosing, testing"),
        "table": _("The table"),
        "noise": _("Privacy"),
    }
    found: dict[str, list[SettingField]] = {title: [] for title in titles.values()}
    found[_("The rest")] = []
    for key, item in declared_fields().items():
        if key not in PATH_SETTINGS:
            title = titles.get(group_of(key), _("The rest"))
            found[title].append(_shown(key, item, values.get(key), language))
    return [
        SettingGroup(
            title,
            [field for field in fields if field.key in USUAL],
            [field for field in fields if field.key not in USUAL],
        )
        for title, fields in found.items()
    ]


def _shown(key: str, item: Field[Any], value: str | None, language: Language) -> SettingField:
    default = text_of(app_config()[key])
    kind = type(item.default)
    choices: tuple[str, ...] = ("true", "false") if kind is bool else ()
    if "choices" in item.metadata:
        choices = tuple(item.metadata["choices"]())
    limits = item.metadata.get("range")
    return SettingField(
        key=key,
        meaning=language.translate(item.metadata["meaning"]),
        value=default if value is None else value,
        default=default,
        choices=choices,
        range=""
        if limits is None
        else " \N{EN DASH} ".join(_limit(end, language) for end in limits),
        numeric=kind in (int, float),
    )


def _limit(value: float, language: Language) -> str:
    """Write a limit; one with decimals as it is typed, with a point."""
    if value == INF:
        return "\N{INFINITY}"
    return language.number(value) if isinstance(value, int) else str(value)


def text_of(value: ConfigValue) -> str:
    """Write a value as it is typed."""
    return str(value).lower() if isinstance(value, bool) else str(value)
