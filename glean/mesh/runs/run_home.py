"""Where a peer keeps what it knows of a run: a folder by its key in the home of the peer."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glean.errors import FederationError
from glean.mesh.mesh_home import MeshHome, write_json
from glean.mesh.runs.run_end import RunEnd, end_of
from glean.mesh.runs.run_errors import LocalFailureError
from glean.mesh.runs.run_plan import RunPlan, check_key
from glean.runs.folder import write_whole

_RUNS = "runs"
_CLOSED = 0o700


@dataclass(frozen=True)
class RunHome:
    """Paths of a run's files at a peer.

    Parameters
    ----------
    path : Path
        The folder, of a name that is the run's key.
    """

    path: Path

    @property
    def promise(self) -> Path:
        """What this peer has promised in elections."""
        return self.path / "promise.json"

    @property
    def replica(self) -> Path:
        """The newest version that it has."""
        return self.path / "replica"

    @property
    def tasks(self) -> Path:
        """Messages to its client that aren't answered yet."""
        return self.path / "tasks"

    @property
    def status(self) -> Path:
        """How the run stands, as `glean mesh status` reads it."""
        return self.path / "status.json"

    @property
    def final(self) -> Path:
        """The run's folder as it ended."""
        return self.path / "final"

    @property
    def work(self) -> Path:
        """What this peer's ServerApps have at work; nothing of it outlives the run."""
        return self.path / "work"

    def results(self, term: int) -> Path:
        """Folder for run folders that this peer's ServerApp makes as coordinator of a term."""
        return self.work / f"term-{term}"

    def resumed(self, term: int) -> Path:
        """Folder of the run that such a ServerApp goes on with."""
        return self.work / f"resumed-{term}"

    @property
    def _plan(self) -> Path:
        return self.path / "plan.json"

    @property
    def _ended(self) -> Path:
        return self.path / "ended.json"

    @property
    def _cancelled(self) -> Path:
        return self.path / "cancelled.json"

    def make(self) -> None:
        """Make the folder, for its owner alone."""
        self.path.mkdir(mode=_CLOSED, parents=True, exist_ok=True)

    def note_plan(self, plan: RunPlan) -> None:
        """Keep what is proposed; from then on this peer knows of the run."""
        self.make()
        write_whole(self._plan, plan.to_bytes())

    def plan(self) -> RunPlan | None:
        """Read what is proposed; None where nothing is.

        Raises
        ------
        LocalFailureError
            It can't be read.
        """
        try:
            return RunPlan.from_bytes(self._plan.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, FederationError) as error:
            raise _unreadable(self._plan, error) from error

    def note_end(self, ended: RunEnd) -> None:
        """Keep how the run ended; nothing changes that."""
        write_json(self._ended, ended.to_content())

    def ended(self) -> RunEnd | None:
        """Read how the run ended; None where that isn't known.

        Raises
        ------
        LocalFailureError
            It can't be read.
        """
        found = _read(self._ended)
        try:
            return None if found is None else end_of(found)
        except FederationError as error:
            raise _unreadable(self._ended, error) from error

    def note_cancelled(self) -> None:
        """Keep that its proposer wants the run to end."""
        write_json(self._cancelled, {})

    @property
    def cancelled(self) -> bool:
        """Whether its proposer wants it to end."""
        return self._cancelled.is_file()


def run_home(home: MeshHome, key: str) -> RunHome:
    """Give the folder of a run.

    Raises
    ------
    FederationError
        The key is none.
    """
    return RunHome(home.path / _RUNS / check_key(key))


def run_homes(home: MeshHome) -> list[RunHome]:
    """List the folders of the runs that a peer knows of, in order of their keys."""
    found = []
    for path in sorted((home.path / _RUNS).glob("*")):
        with suppress(FederationError):
            found.append(run_home(home, path.name))
    return found


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> LocalFailureError:
    return LocalFailureError(f"{path} can't be read: {error}")
