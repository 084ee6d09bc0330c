"""What a command asks the peer of its home to do: small files that the peer takes up."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from glean.errors import FederationError
from glean.mesh.mesh_home import MeshHome, write_json
from glean.mesh.runs.run_plan import DEFAULT_LEASE_S, check_key, check_lease
from glean.regular_files import read_regular
from glean.settings import ConfigValue

LOG = logging.getLogger(__name__)

FOLDER = "run-requests"

_CLOSED = 0o700
_RUN, _CANCEL = "run", "cancel"


@dataclass(frozen=True)
class RunRequest:
    """What is asked for.

    Parameters
    ----------
    path : Path
        The file; deleted once it was done.
    key : str
        The run's.
    cancels : bool
        Whether it is to end; else it is to be proposed.
    run_config : mapping
        Of a run to propose.
    lease_s : float
        Likewise.
    """

    path: Path
    key: str
    cancels: bool
    run_config: Mapping[str, ConfigValue] = field(default_factory=dict)
    lease_s: float = DEFAULT_LEASE_S


def request_run(
    home: MeshHome, run_config: Mapping[str, ConfigValue], lease_s: float = DEFAULT_LEASE_S
) -> str:
    """Ask the peer to propose a run.

    Parameters
    ----------
    home : MeshHome
        The peer's.
    run_config : mapping
        The whole run config.
    lease_s : float
        After how many seconds without a word of its coordinator another one is looked for.

    Returns
    -------
    str
        The key that the run will have.

    Raises
    ------
    FederationError
        The lease can't be.
    OSError
        It can't be written down.
    """
    key = secrets.token_hex(16)
    content = {"run_config": dict(run_config), "lease_s": check_lease(lease_s)}
    _write(home, f"{_RUN}-{key}.json", content)
    return key


def request_cancel(home: MeshHome, key: str) -> None:
    """Ask the peer to end a run that it has proposed.

    Raises
    ------
    FederationError
        The key is none.
    OSError
        It can't be written down.
    """
    _write(home, f"{_CANCEL}-{check_key(key)}.json", {})


def read_requests(home: MeshHome) -> list[RunRequest]:
    """Give what is asked for, runs before what ends them; what can't be read is deleted."""
    found = []
    for path in sorted((home.path / FOLDER).glob("*.json"), key=_in_order):
        try:
            found.append(_request(path))
        except (OSError, ValueError, KeyError, TypeError, RecursionError, FederationError) as error:
            LOG.warning("mesh: the request %s can't be read: %s", path, error)
            path.unlink(missing_ok=True)
    return found


def _write(home: MeshHome, name: str, content: Mapping[str, object]) -> None:
    folder = home.path / FOLDER
    folder.mkdir(mode=_CLOSED, exist_ok=True)
    write_json(folder / name, content)


def _in_order(path: Path) -> tuple[bool, str]:
    return path.name.startswith(_CANCEL), path.name


def _request(path: Path) -> RunRequest:
    what, _, key = path.stem.partition("-")
    check_key(key)
    if what == _CANCEL:
        return RunRequest(path, key, cancels=True)
    if what != _RUN:
        raise FederationError(f"found a request {path.name!r:.80}; wanted one to run or to cancel")
    found = json.loads(read_regular(path))
    return RunRequest(path, key, False, dict(found["run_config"]), check_lease(found["lease_s"]))
