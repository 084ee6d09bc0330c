"""What one bakery's node is told: its node config becomes frozen settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from glean.errors import SettingsError
from glean.setting_fields import TYPE_WORDS, ConfigValue, key_of

NODE_KEYS = (
    "sales", "bakery", "home", "signing-key", "members", "partition-id", "num-partitions",
)  # fmt: skip
"""Keys of a node config; the last two are those that Flower gives the nodes of a simulation."""

_FLOWERS_KEYS = {"partition": "partition-id", "partitions": "num-partitions"}


def is_deployed(node_config: Mapping[str, ConfigValue]) -> bool:
    """Whether a node is a bakery's own, and not one of a simulation; for any node config."""
    return bool(node_config.get("sales")) or "partition-id" not in node_config


@dataclass(frozen=True)
class NodeSettings:
    """What one bakery's node is told; where set, it beats the run config.

    Parameters
    ----------
    partition : int
        Which bakery of a simulation this node plays, counted from 0.
    partitions : int
        How many nodes the simulation has; 0 where it isn't told.
    sales : str
        Path of the bakery's own table; "" in a simulation.
    bakery : str
        Its name in the federation; "" takes the table's.
    home : str
        Folder in which the bakery keeps the model; "" for none.
    signing_key, members : str
        Paths of its private signing key and of the list of members, for secure sums.
    """

    partition: int = 0
    partitions: int = 0
    sales: str = ""
    bakery: str = ""
    home: str = ""
    signing_key: str = ""
    members: str = ""

    @classmethod
    def from_config(cls, config: Mapping[str, ConfigValue]) -> Self:
        """Read a node config.

        Raises
        ------
        SettingsError
            A value of the wrong type, a partition below 0, or a key that there isn't; or it
            names neither a table nor the bakery of a simulation.
        """
        unknown = sorted(config.keys() - NODE_KEYS)
        if unknown:
            raise SettingsError(
                f"node config: found {', '.join(unknown)}; known are {', '.join(NODE_KEYS)}"
            )
        found: dict[str, Any] = {}
        for item in fields(cls):
            key = _FLOWERS_KEYS.get(item.name, key_of(item))
            value = config.get(key, item.default)
            kind: type = type(item.default)
            if type(value) is not kind:
                raise SettingsError(
                    f"node config {key}: found {value!r}; wanted {TYPE_WORDS[kind]}"
                )
            found[item.name] = value
        if not config.get("sales") and "partition-id" not in config:
            raise SettingsError(
                "node config: found no table; wanted sales='/path/of/the/bakery/sales.csv'"
            )
        if found["partition"] < 0:
            raise SettingsError(
                f"node config partition-id: found {found['partition']}; wanted one from 0 up"
            )
        return cls(**found)
