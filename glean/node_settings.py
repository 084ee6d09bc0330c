"""What one bakery's node is told: its node config becomes frozen settings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from glean.errors import SettingsError
from glean.noise_settings import DP_FEDAVG, DP_SGD
from glean.setting_fields import TYPE_WORDS, ConfigValue, hashed_once, key_of

NODE_CONFIG = "bakery.toml"
"""The node config in the home of a bakery that has joined."""

DATA_FOLDER = "DATA_DIR"
"""Where a client's pictures are, in the environment of a node whose node config names none."""

NODE_KEYS = (
    "sales", "images", "bakery", "home", "image-model", "signing-key", "members", "key-log",
    "privacy", "min-contributors", "share-scores", "trusted-members", "epsilon-total", "model-key",
    "partition-id", "num-partitions",
)  # fmt: skip
"""Keys of a node config; the last two are those that Flower gives the nodes of a simulation."""

DEFAULT_MIN_CONTRIBUTORS = 5
"""Where bakeries have tables of their own, unless it is said otherwise."""

FEWEST_CONTRIBUTORS = 3
"""The lowest `min-contributors`: of two each could subtract its own part from a sum."""

LARGEST_EPSILON_TOTAL = 1000.0
"""Far beyond what says anything of a day."""

_CHOICES = {
    "privacy": ("", "sums", "noise", DP_SGD, DP_FEDAVG),
    "share-scores": ("", "yes", "no"),
}
_FLOWERS_KEYS = {"partition": "partition-id", "partitions": "num-partitions"}


def is_deployed(node_config: Mapping[str, ConfigValue]) -> bool:
    """Whether a node is a bakery's own, and not one of a simulation; for any node config."""
    own = node_config.get("sales") or node_config.get("images")
    return bool(own) or "partition-id" not in node_config


@hashed_once
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
    images : str
        Path of the client's own pictures, for the workload of pictures; "" for none.
    image_model : str
        The client's own network for them; "" takes the run's.
    bakery : str
        Its name in the federation; "" takes the table's.
    home : str
        Folder in which the bakery keeps the model; "" for none.
    signing_key, members : str
        Paths of its private signing key and of the list of members, for secure sums.
    key_log : str
        Path of the log of members' keys, where the server is `glean serve --public`: `glean node`
        brings it up to date, and `members` with it; "" where the list was carried by hand.
    privacy : str
        What a run must promise: "sums" masked sums, "noise" noise besides, "dp-sgd" noise that
        hides a picture, "dp-fedavg" noise that hides the client as a whole; "" what the run says.
    min_contributors : int
        So many members that count each part of a sum needs; 0: five with a table of its own, and
        no such floor in a simulation.
    share_scores : str
        "no" refuses a run that shows its scores; "" and "yes" go by the run.
    trusted_members : str
        Which members count: names with commas between them, or the path of a list of members that
        its owner has confirmed; "" all of `members`.
    epsilon_total : float
        What a day of training records, a picture, or the client as a whole may spend over all runs
        with noise; 0: two full runs with the default settings.
    model_key : str
        Path of the server's public key for models: the final model must be signed by it; "" takes
        any.
    """

    partition: int = 0
    partitions: int = 0
    sales: str = ""
    images: str = ""
    image_model: str = ""
    bakery: str = ""
    home: str = ""
    signing_key: str = ""
    members: str = ""
    key_log: str = ""
    privacy: str = ""
    min_contributors: int = 0
    share_scores: str = ""
    trusted_members: str = ""
    epsilon_total: float = 0.0
    model_key: str = ""

    @classmethod
    def from_config(
        cls, config: Mapping[str, ConfigValue], environment: Mapping[str, str] = os.environ
    ) -> Self:
        """Read a node config.

        Parameters
        ----------
        config : mapping
            What the node was started with.
        environment : mapping
            Where a client of its own has neither a table nor `images`, its `DATA_DIR` counts.

        Raises
        ------
        SettingsError
            A value of the wrong type or out of range, or a key that there isn't; or it names
            neither a table nor the bakery of a simulation.
        """
        if is_deployed(config) and not config.get("sales") and environment.get(DATA_FOLDER):
            config = {"images": environment[DATA_FOLDER], **config}
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
            if kind is float and type(value) is int and abs(value) <= LARGEST_EPSILON_TOTAL:
                value = float(value)
            if type(value) is not kind:
                raise SettingsError(
                    f"node config {key}: found {value!r}; wanted {TYPE_WORDS[kind]}"
                )
            found[item.name] = value
        if not (config.get("sales") or config.get("images") or "partition-id" in config):
            raise SettingsError(
                "node config: found no data; wanted sales='/path/of/the/bakery/sales.csv', or "
                "images='/path/of/the/pictures' and bakery='its name' where pictures are learned "
                "from"
            )
        if config.get("images") and not config.get("bakery"):
            raise SettingsError(
                "node config bakery: found none with images; wanted the client's name in the "
                "federation"
            )
        if found["partition"] < 0:
            raise SettingsError(
                f"node config partition-id: found {found['partition']}; wanted one from 0 up"
            )
        _check_policy(cls(**found))
        return cls(**found)


def _check_policy(node: NodeSettings) -> None:
    for key, choices in _CHOICES.items():
        value = getattr(node, key.replace("-", "_"))
        if value not in choices:
            wanted = ", ".join(repr(choice) for choice in choices)
            raise SettingsError(f"node config {key}: found {value!r}; wanted one of {wanted}")
    if node.min_contributors and node.min_contributors < FEWEST_CONTRIBUTORS:
        raise SettingsError(
            f"node config min-contributors: found {node.min_contributors}; wanted "
            f"{FEWEST_CONTRIBUTORS} or more, since of fewer each can tell the others' from a sum"
        )
    if not 0.0 <= node.epsilon_total <= LARGEST_EPSILON_TOTAL:  # NaN isn't either
        raise SettingsError(
            f"node config epsilon-total: found {node.epsilon_total}; wanted a number above 0, at "
            f"most {LARGEST_EPSILON_TOTAL:g}, or 0 for two full runs with the default settings"
        )
