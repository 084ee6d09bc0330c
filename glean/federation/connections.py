"""Flower's own configuration file: the connections that Glean's commands name."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

from glean.errors import FederationError

_SIMULATION = """
[superlink.{name}]
address = ":local:"
options.num-supernodes = 5
options.backend.client-resources.num-cpus = 1
"""
_CLUSTER = """
[superlink.{name}]
address = ":local:"
"""
CONNECTIONS = {
    "local-simulation": _SIMULATION,
    "cluster-cpu": _CLUSTER,
    "cluster-gpu": _CLUSTER,
}


def flower_home() -> Path:
    """Folder of Flower's configuration: `FLWR_HOME`, or `.flwr` at home."""
    return Path(os.environ.get("FLWR_HOME") or Path.home() / ".flwr").expanduser()


def add_connections() -> list[str]:
    """Append the missing connections to Flower's `config.toml`; nothing else in it changes.

    Returns
    -------
    list of str
        Names of those added.

    Raises
    ------
    FederationError
        The file isn't TOML, or can't be written.
    """
    path = flower_home() / "config.toml"
    if not path.exists():
        _let_flower_write_its_own()
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    present = _connections(text, path)
    missing = [name for name in CONNECTIONS if name not in present]
    if not missing:
        return []
    ending = "" if not text or text.endswith("\n") else "\n"
    longer = text + ending + "".join(CONNECTIONS[name].format(name=name) for name in missing)
    _connections(longer, path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name("config.toml.glean")
        fresh.write_text(longer, encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise FederationError(f"{path} can't be written: {error}") from error
    return missing


def _connections(text: str, path: Path) -> set[str]:
    try:
        return set(tomllib.loads(text).get("superlink", {}))
    except (tomllib.TOMLDecodeError, TypeError) as error:
        raise FederationError(f"{path} isn't valid TOML: {error}; mend it and try again") from error


def _let_flower_write_its_own() -> None:
    """Have Flower make its default file first: it only does so where there is none."""
    flwr = Path(sys.executable).with_name("flwr")
    subprocess.run([flwr, "config", "list"], capture_output=True, check=False)  # noqa: S603
