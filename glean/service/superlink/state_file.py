"""How the SuperLink stands, in a file: for `glean status`, which runs beside the service."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from glean.federation_folder import FederationFolder
from glean.runs.folder import write_whole
from glean.service.superlink.superlink_state import SuperLinkState
from glean.service.superlink.superlink_supervisor import SuperLinkSupervisor

FILE = "superlink.json"


class SuperLinkStateFile:
    """Writes it whenever it has changed.

    Parameters
    ----------
    folder : FederationFolder
        Where the file lies.
    superlink : SuperLinkSupervisor
        Knows how it stands.
    """

    def __init__(self, folder: FederationFolder, superlink: SuperLinkSupervisor) -> None:
        self._path = folder.path / FILE
        self._superlink = superlink
        self._written: SuperLinkState | None = None

    def write(self) -> None:
        """Write it, unless it is as it was."""
        state = self._superlink.state
        if state != self._written:
            write_whole(self._path, json.dumps(asdict(state)).encode())
            self._written = state


def read_superlink_state(folder: FederationFolder) -> dict[str, Any]:
    """Read how the SuperLink stood last; empty where nothing is known."""
    try:
        found = json.loads((folder.path / FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
