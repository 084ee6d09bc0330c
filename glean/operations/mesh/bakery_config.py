"""The node config of a bakery on a mesh: what its owner wrote, and what the peer's home knows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from glean.errors import SettingsError
from glean.mesh.mesh_home import MeshHome
from glean.node_settings import NodeSettings
from glean.operations.mesh.members_file import FILE as MEMBERS_FILE
from glean.privacy.peer_identity import SIGNING_FILE, PeerIdentity
from glean.privacy.signing import is_ed25519
from glean.settings import ConfigValue

BAKERY_HOME = "bakery"
"""Folder in a peer's home where its bakery keeps the model, unless its node config names one."""

_OF_A_SERVER = {
    "key-log": "a mesh has no log of keys: its members' keys are those of its signed entries",
    "model-key": "a mesh has no server that signs the final model",
    "partition-id": "a bakery on a mesh has a table of its own",
}


def bakery_config(home: MeshHome, given: Mapping[str, ConfigValue]) -> dict[str, ConfigValue]:
    """Complete a node config by what a peer's home knows, and check it.

    Parameters
    ----------
    home : MeshHome
        The peer's.
    given : mapping
        What its owner wrote; with the data.

    Returns
    -------
    dict
        With the bakery's name, its home, its key and the list of members.

    Raises
    ------
    GleanError
        Something in it can't be, or the peer can't take part in runs.
    """
    facts = home.facts()
    for key, why in _OF_A_SERVER.items():
        if key in given:
            raise SettingsError(f"node config: found {key}; wanted none: {why}")
    own = {
        "bakery": facts.name,
        "signing-key": str(home.path / SIGNING_FILE),
        "members": str(home.path / MEMBERS_FILE),
    }
    for key, value in own.items():
        if given.get(key, value) != value:
            raise SettingsError(
                f"node config {key}: found {given[key]!r}; wanted {value!r}, as the mesh knows "
                "this bakery: leave it out"
            )
    config = {"home": str(home.path / BAKERY_HOME), **given, **own}
    NodeSettings.from_config(config)
    if not is_ed25519(PeerIdentity.read(home.path).public.signing_key):
        raise SettingsError(
            f"{home.path}: found a key of RSA; wanted Ed25519 to take part in runs, whose keys for "
            "masked sums are signed by nothing else. Without --config this peer still passes "
            "messages on; to take part, leave the mesh and join it again with --key ed25519"
        )
    return config


def home_of(config: Mapping[str, ConfigValue]) -> Path:
    """Give the folder in which the bakery keeps the model."""
    return Path(str(config["home"])).expanduser()
