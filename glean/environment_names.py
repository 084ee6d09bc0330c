"""Names that containers of earlier picture pipelines set, and the settings that they stand for.

They count for a run of pictures only, and only where a setting isn't given otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping

from glean.errors import SettingsError
from glean.node_settings import DATA_FOLDER
from glean.setting_fields import ConfigValue
from glean.settings import parse_text

NAMES = {
    DATA_FOLDER: "images",
    "IMAGE_SIZE": "image-size",
    "ROUNDS": "num-server-rounds",
    "FRACTION_FIT": "fraction-train",
    "FRACTION_EVAL": "fraction-evaluate",
    "MIN_AVAILABLE_CLIENTS": "min-available-bakeries",
    "MIN_FIT_CLIENTS": "min-available-bakeries",
    "MIN_EVAL_CLIENTS": "min-available-bakeries",
    "REDUCED_DATA_SIZE": "reduced-data",
}
"""Name in the environment -> key of the run config; of several for one key the largest counts."""

LIGHTWEIGHT = "USE_LIGHTWEIGHT_MODEL"
"""A yes is `image-model=cnn-small`."""

_YES = ("1", "true", "yes", "on")
_NO = ("", "0", "false", "no", "off")


def settings_from(
    environment: Mapping[str, str], given: Mapping[str, ConfigValue]
) -> dict[str, ConfigValue]:
    """Give run config for what the environment names and nobody gave otherwise.

    Parameters
    ----------
    environment : mapping
        Of the process.
    given : mapping
        Run config that was typed.

    Returns
    -------
    dict
        Nothing for a run of another workload.

    Raises
    ------
    SettingsError
        A value doesn't fit the setting; names the variable.
    """
    if given.get("workload") != "images":
        return {}
    found: dict[str, ConfigValue] = {}
    for name, key in NAMES.items():
        if environment.get(name) and key not in given:
            value = _parsed(name, key, environment[name])
            known = found.get(key)
            larger = isinstance(known, int) and isinstance(value, int) and known > value
            found[key] = known if larger and known is not None else value
    if _is_yes(environment.get(LIGHTWEIGHT, "")) and "image-model" not in given:
        found["image-model"] = "cnn-small"
    return found


def _parsed(name: str, key: str, text: str) -> ConfigValue:
    try:
        return parse_text(key, text)
    except SettingsError as error:
        raise SettingsError(f"the environment variable {name}: {error}") from None


def _is_yes(text: str) -> bool:
    if text.lower() not in (*_YES, *_NO):
        raise SettingsError(
            f"the environment variable {LIGHTWEIGHT}: found {text!r}; wanted true or false"
        )
    return text.lower() in _YES
