"""How a run stands at a peer, for people: written by the peer that runs, read by commands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from glean.mesh.mesh_home import MeshHome, write_json
from glean.mesh.runs.run_end import CANCELLED, COMPLETED, FAILED
from glean.mesh.runs.run_home import RunHome, run_homes

WAITING, TRAINING, REFUSED = "waiting", "training", "refused"

OVER = (COMPLETED, FAILED, CANCELLED, REFUSED)
"""States that don't change any more."""


@dataclass(frozen=True)
class RunStatus:
    """A run.

    Parameters
    ----------
    key : str
        By which all know it.
    state : str
        "waiting" (for another run, or for a majority), "training", "completed", "failed",
        "cancelled" or "refused".
    proposer : str
        Who proposed it.
    created : float
        When: seconds since 1970.
    participants : tuple of str
        Who takes part.
    term : int
        Of how many elections this peer knows.
    coordinator : str
        Who coordinates it, "" where that isn't known.
    round : int
        Of how many rounds this peer has the results.
    reason : str
        Why it failed, was refused or waits; "" where there is nothing to say.
    present : tuple of str
        Participants that this peer has heard of of late, itself included.
    folder : str
        The run's folder as it ended, "" while it goes on.
    """

    key: str
    state: str
    proposer: str = ""
    created: float = 0.0
    participants: tuple[str, ...] = ()
    term: int = 0
    coordinator: str = ""
    round: int = 0
    reason: str = ""
    present: tuple[str, ...] = ()
    folder: str = ""

    @property
    def over(self) -> bool:
        """Whether it won't change any more."""
        return self.state in OVER


def note_status(home: RunHome, status: RunStatus) -> None:
    """Write how a run stands."""
    home.make()
    write_json(home.status, asdict(status), lasting=status.over)


def read_status(home: RunHome) -> RunStatus | None:
    """Read how a run stands; None where that isn't known."""
    try:
        return _status(json.loads(home.status.read_bytes()))
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def read_statuses(home: MeshHome) -> list[RunStatus]:
    """Read how all runs of a peer stand, the oldest first; also while no peer runs there."""
    found = [status for run in run_homes(home) if (status := read_status(run)) is not None]
    return sorted(found, key=lambda status: (status.created, status.key))


def _status(content: Mapping[str, Any]) -> RunStatus:
    lists = {name: tuple(content[name]) for name in ("participants", "present")}
    return RunStatus(**{**content, **lists})
