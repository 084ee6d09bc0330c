"""Names that containers of earlier picture pipelines set, and the settings that they stand for.

Those of training count for a run of pictures only; all count only where a setting isn't given
otherwise.
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

SERVERS, CLIENT = "BOOTSTRAP_SERVERS", "CLIENT_ID"
MODEL_TOPIC, UPDATE_TOPIC = "MODEL_TOPIC", "UPDATE_TOPIC"
"""Of pipelines over Kafka: the brokers, a client's name, and the names of two topics. They count
where an address begins with kafka, whatever is learned."""

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


def kafka_address(typed: str, environment: Mapping[str, str]) -> str:
    """Fill in the brokers of an address that names none, like kafka:///bakeries.

    Parameters
    ----------
    typed : str
        The address.
    environment : mapping
        Of the process: its `BOOTSTRAP_SERVERS` counts.

    Raises
    ------
    SettingsError
        Neither names any.
    """
    scheme, _, rest = typed.partition("://")
    place, slash, federation = rest.partition("/")
    user, at, brokers = place.rpartition("@")
    if brokers:
        return typed
    named = environment.get(SERVERS, "").strip()
    if not named:
        shown = user.partition(":")[0]  # without a password
        raise SettingsError(
            f"found no broker in {scheme}://{shown}{at}/{federation}; wanted HOST:PORT there, or "
            f"in the environment variable {SERVERS}"
        )
    # As a broker's own settings have them, with its listener's protocol in front.
    brokers = ",".join(name.strip().rpartition("://")[2] for name in named.split(","))
    return f"{scheme}://{user}{at}{brokers}{slash}{federation}"


def kafka_topics(environment: Mapping[str, str]) -> tuple[str, str]:
    """Give the names of the topics of models and of updates; "" for the usual ones."""
    return environment.get(MODEL_TOPIC, "").strip(), environment.get(UPDATE_TOPIC, "").strip()


def with_client_name(
    node_config: Mapping[str, ConfigValue], environment: Mapping[str, str]
) -> dict[str, ConfigValue]:
    """Name a client whose node config doesn't, by `CLIENT_ID`."""
    named = environment.get(CLIENT, "").strip()
    return {**({"bakery": named} if named else {}), **node_config}
