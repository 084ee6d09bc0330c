"""A bakery's lasting node: checked, and run until it is interrupted."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glean.errors import CertificateError, FederationError, SettingsError
from glean.federation.launch.flower_app import app_config, app_name, app_project
from glean.federation.node.key_log_follower import KeyLogFollower
from glean.federation.node.member_auth import MemberAuth
from glean.federation.node.member_client import MemberClient
from glean.node_settings import NodeSettings
from glean.operations.joining.node_status import NodeStatus
from glean.privacy.model_key import ModelKey
from glean.privacy.node_key import NodeKey, read_node_key
from glean.privacy.request_signature import RequestSigner
from glean.regular_files import read_regular
from glean.runs.log_lines import log_to
from glean.settings import ConfigValue

LOG = logging.getLogger("glean")

_LOCK = ".node.lock"


@dataclass(frozen=True)
class PreparedNode:
    """A node that can be started.

    Parameters
    ----------
    address : str
        HOST:PORT of the server.
    authority : Path
        Certificate by which the server is known.
    key : NodeKey
        The bakery's key.
    config : mapping
        Its node config.
    """

    address: str
    authority: Path
    key: NodeKey
    config: Mapping[str, ConfigValue]

    @property
    def home(self) -> Path:
        """The bakery's folder."""
        return Path(str(self.config["home"])).expanduser()


def prepare_node(
    address: str, *, authority: Path, key: Path, config: Mapping[str, ConfigValue]
) -> PreparedNode:
    """Check everything that can be checked before a server is spoken to.

    Parameters
    ----------
    address : str
        HOST:PORT of the server.
    authority : Path
        Certificate (PEM) by which the server is known.
    key : Path
        The bakery's private node key.
    config : mapping
        Its node config; with a table or pictures, and a home.

    Raises
    ------
    GleanError
        Says what can't be used.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise SettingsError(f"the server's address: found {address!r}; wanted HOST:PORT")
    node = NodeSettings.from_config(config)
    data = "images" if node.images else "sales"
    wanted = (data, "home", *(("signing_key", "members", "model_key") if node.key_log else ()))
    for name in wanted:
        if not getattr(node, name):
            raise SettingsError(f"node config: found no {name.replace('_', '-')}; wanted its path")
    try:
        read_regular(authority)
    except OSError as error:
        raise CertificateError(f"{authority} can't be read: {error.strerror or error}") from error
    return PreparedNode(address, authority, read_node_key(key), dict(config))


def read_node_config(path: Path) -> dict[str, ConfigValue]:
    """Read a node config: a TOML file of its keys.

    Raises
    ------
    SettingsError
        It can't be read, isn't TOML, or has something else in it than plain values.
    """
    try:
        found: dict[str, Any] = tomllib.loads(read_regular(path).decode("utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} can't be read: {error.strerror or error}") from error
    except ValueError as error:  # of TOML and of UTF-8
        raise SettingsError(
            f'{path} isn\'t valid TOML: {error}; wanted lines like sales = "/path/sales.csv"'
        ) from error
    for key, value in found.items():
        if not isinstance(value, str | int | float | bool):
            raise SettingsError(f"{path}, {key}: found {value!r}; wanted a text or a number")
    return found


def run_node(prepared: PreparedNode) -> None:
    """Answer a server's messages until a KeyboardInterrupt.

    Raises
    ------
    FederationError
        The installed Flower isn't one that this works with, another node is at work in the home, or
        whoever answers at the address isn't the server.
    """
    log_to("stderr")
    try:
        from glean.federation.node.flower_fleet import FlowerFleet, check_flower
    except ImportError as error:
        raise FederationError(
            f"this Flower lacks what a node needs ({error}); install Glean by `pip install -c "
            "constraints.txt`, or use flower-supernode (docs/deployment.md)"
        ) from error
    check_flower()
    from glean.client_app import app, forget_clients
    from glean.federation.node.lasting_node import LastingNode
    from glean.federation.node.node_memory import NodeMemory
    from glean.federation.node.release_check import InstalledApp
    from glean.federation.node.run_hosts import RunHosts

    installed = InstalledApp(app_name(), app_project()["project"]["version"])
    with home_to_itself(prepared.home):
        key = hashlib.sha256(prepared.key.public).hexdigest()
        memory = NodeMemory(prepared.home, prepared.address, key)
        member, refresh = _member_of(prepared)
        hosts = RunHosts(
            app,
            installed,
            node_config=prepared.config,
            run_config=app_config(),
            forget=forget_clients,
            refresh=refresh,
        )
        fleet = FlowerFleet(prepared.address, prepared.authority, prepared.key, member)
        LOG.info(
            "the node of %s: it runs the Glean %s that is installed here, and no code that arrives",
            prepared.config.get("bakery") or prepared.config["sales"],
            installed.release,
        )
        LastingNode(fleet, hosts, memory, report=NodeStatus(prepared.home).write).run()


def _member_of(prepared: PreparedNode) -> tuple[MemberAuth | None, Callable[[], None]]:
    """Give what a node of `glean serve --public` needs besides: its signature, others' keys."""
    node = NodeSettings.from_config(prepared.config)
    if not node.key_log:
        return None, lambda: None
    signer = RequestSigner(read_regular(Path(node.signing_key).expanduser()))
    client = MemberClient(prepared.address, read_regular(prepared.authority), signer)
    follower = KeyLogFollower(
        Path(node.key_log).expanduser(),
        Path(node.members).expanduser(),
        ModelKey.read(Path(node.model_key).expanduser()),
        client.key_log,
    )
    return MemberAuth(signer), follower.refresh


@contextmanager
def home_to_itself(home: Path) -> Iterator[None]:
    """Have the home to this process; a kill gives it free."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(home / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise SettingsError(
            f"node config home: {home} can't be used: {error.strerror or error}"
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FederationError(
                f"{home}: another node is at work in this home; wanted one only"
            ) from None
        yield
    finally:
        os.close(descriptor)
