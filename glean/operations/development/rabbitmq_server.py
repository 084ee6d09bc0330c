"""RabbitMQ with a name, a cookie and ports of its own: one of the machine's isn't disturbed."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from glean.errors import FederationError, GleanError
from glean.installed_packages import check_installed
from glean.operations.development.part import Part, Wait, free_port
from glean.operations.development.started_server import wait_for_port
from glean.operations.rehearsal.scene import Scene

STAND_IN = Part("broker", "the queue in the database")
SCRIPT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""Debian's own; the one on its PATH goes to the machine's folders."""

_USER = "glean"
_ERLANG = "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}"


def start_rabbitmq(scene: Scene) -> Wait:
    """Start one; what comes back waits until it answers.

    Raises
    ------
    FederationError
        It can't be had here; says why.
    """
    try:
        check_installed("pika", extra="broker")
    except GleanError as error:
        raise FederationError(str(error)) from error
    server = str(SCRIPT) if SCRIPT.is_file() else shutil.which("rabbitmq-server")
    if server is None or shutil.which("epmd") is None:
        raise FederationError("found no rabbitmq-server and epmd on PATH")
    folder, port, epmd_port = scene.folder / "rabbitmq", free_port(), free_port()
    environment = own_node(
        folder, "glean-dev", port=port, node_port=free_port(), epmd_port=epmd_port
    )
    password = secrets.token_hex(16)
    _name_its_user(folder, password)
    # Before the node, which would start one that outlives it.
    words = ["epmd", "-port", str(epmd_port), "-address", "127.0.0.1"]
    epmd = scene.start_program("epmd", words, environment=environment)
    wait_for_port(epmd, epmd_port, STAND_IN)
    process = scene.start_program("RabbitMQ", [server], environment=environment)
    url = f"amqp://{_USER}:{password}@127.0.0.1:{port}/"
    part = Part("broker", f"RabbitMQ at 127.0.0.1:{port}", url)
    return lambda: wait_for_port(process, port, part)


def _name_its_user(folder: Path, password: str) -> None:
    """Have a user of its own in place of "guest", whose password everybody knows."""
    path = folder / "rabbitmq.conf"
    path.chmod(0o600)
    path.write_text(f"default_user = {_USER}\ndefault_pass = {password}\n", encoding="utf-8")


def own_node(
    folder: Path, name: str, *, port: int, node_port: int, epmd_port: int
) -> dict[str, str]:
    """Make what a node needs that shares nothing with one of the machine's; its variables.

    Parameters
    ----------
    folder : Path
        Where it keeps everything; what it kept there before stays.
    name : str
        Of the node, on this machine.
    port, node_port, epmd_port : int
        Where it listens for AMQP and for other nodes, and its epmd.
    """
    for part in ("mnesia", "log"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "enabled_plugins").write_text("[].\n", encoding="utf-8")
    for empty in ("environment.conf", "rabbitmq.conf"):
        (folder / empty).touch()
    return {
        "ERL_EPMD_PORT": str(epmd_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"{name}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(node_port),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "environment.conf"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_PLUGINS_EXPAND_DIR": str(folder / "plugins"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": _ERLANG,
        # The script becomes the node then, so that its process is the node's.
        "detached": "1",
    }
