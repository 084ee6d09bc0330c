"""What a peer has promised in a run's elections, in a file that a kill leaves whole."""

from __future__ import annotations

import json
from pathlib import Path

from glean.consensus.memory import Promise
from glean.consensus.state_version import Version
from glean.mesh.mesh_home import write_json
from glean.mesh.runs.run_errors import LocalFailureError


class PromiseFile:
    """Keeps a promise: a `Memory`.

    Parameters
    ----------
    path : Path
        The file, in a folder that is there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Promise:
        """Give what was saved last; an empty promise before.

        Raises
        ------
        LocalFailureError
            It can't be read: who voted without it might vote twice.
        """
        try:
            found = json.loads(self._path.read_bytes())
            term, index = found["version"]
            return Promise(found["term"], found["voted_for"], Version(term, index))
        except FileNotFoundError:
            return Promise()
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise LocalFailureError(f"{self._path} can't be read: {error}") from error

    def save(self, promise: Promise) -> None:
        """Keep a promise; on disk when this returns.

        Raises
        ------
        OSError
            There is no room.
        """
        version = [promise.version.term, promise.version.index]
        content = {"term": promise.term, "voted_for": promise.voted_for, "version": version}
        write_json(self._path, content)
