"""Flower's own configuration file: the connections that Glean's commands name."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from glean.errors import FederationError
from glean.federation_folder import federation_folder

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
    """Folder of Flower's configuration: `FLWR_HOME`, or `.flwr` at home.

    Raises
    ------
    FederationError
        It is a file: Flower itself would try for a long time.
    """
    home = Path(os.environ.get("FLWR_HOME") or Path.home() / ".flwr").expanduser()
    if os.path.lexists(home) and not home.is_dir():
        raise FederationError(
            f"{home}: found what is no folder; wanted one for Flower's configuration: move it away "
            "or let FLWR_HOME name another"
        )
    return home


def served_home(name: str, results: Path) -> Path | None:
    """Find the Flower home of the service whose run folders these are, if it has a connection.

    Parameters
    ----------
    name : str
        Name of the connection.
    results : Path
        Folder of the run folders.

    Returns
    -------
    Path or None
        None where the user's own configuration has it, which counts more, or nobody has.
    """
    own = flower_home() / "config.toml"
    served = federation_folder(results).flower_home
    if name in _connections(_read(own), own) or not (served / "config.toml").is_file():
        return None
    return served if name in _connections(_read(served / "config.toml"), served) else None


def find_connection(name: str, home: Path | None = None) -> dict[str, Any]:
    """Read a connection of the user's, or of another home of Flower's.

    Raises
    ------
    FederationError
        Flower's configuration doesn't have it, isn't TOML or can't be read.
    """
    path = (home or flower_home()) / "config.toml"
    content = _read(path)
    known = sorted(_connections(content, path))
    connection = tomllib.loads(content.decode())["superlink"].get(name) if known else None
    if not isinstance(connection, dict):
        others = ", ".join(found for found in known if found != "default") or "none"
        raise FederationError(
            f"found no connection {name!r} in {path}, but {others}. Add the SuperLink's to it:\n"
            f'[superlink.{name}]\naddress = "HOST:PORT"\nroot-certificates = "/path/of/ca.crt"'
        )
    return connection


def add_connections() -> list[str]:
    """Append the missing connections to Flower's `config.toml`; nothing else in it changes.

    Returns
    -------
    list of str
        Names of those added.

    Raises
    ------
    FederationError
        The file isn't TOML, or can't be read or written.
    """
    path = flower_home() / "config.toml"
    if not path.exists():
        _let_flower_write_its_own()
    # A user's link to a file elsewhere stays one, and line ends of any kind stay as they are.
    path = path.resolve()
    before = _read(path)
    present = _connections(before, path)
    missing = [name for name in CONNECTIONS if name not in present]
    if not missing:
        return []
    ending = b"" if not before or before.endswith(b"\n") else b"\n"
    added = "".join(CONNECTIONS[name].format(name=name) for name in missing).encode()
    after = before + ending + added
    _connections(after, path)
    try:
        _replace(path, after)
    except OSError as error:
        raise FederationError(f"{path} can't be written: {error}") from error
    return missing


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise FederationError(f"{path} can't be read: {error}") from error


def _connections(content: bytes, path: Path) -> set[str]:
    try:
        return set(tomllib.loads(content.decode()).get("superlink", {}))
    except (ValueError, TypeError) as error:
        raise FederationError(f"{path} isn't valid TOML: {error}; mend it and try again") from error


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name("config.toml.glean")
    try:
        fresh.write_bytes(content)
        if path.exists():
            fresh.chmod(path.stat().st_mode)
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def _let_flower_write_its_own() -> None:
    """Have Flower make its default file first: it only does so where there is none."""
    flwr = Path(sys.executable).with_name("flwr")
    subprocess.run(  # noqa: S603 # nosec B603 # our own words to Flower's own command
        [flwr, "config", "list"], capture_output=True, check=False
    )
