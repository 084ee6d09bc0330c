"""How much of a run a registry has: kept in the run's folder, so that anybody can go on."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from glean.registry.registry_address import shown_address
from glean.runs.folder import write_whole
from glean.runs.folder_lock import folder_lock

FILE, LOCK = ".registry.json", ".registry.lock"


@dataclass
class SendProgress:
    """What was sent, in the order in which it is.

    Parameters
    ----------
    server, model : str
        To which registry, and by which name the model is registered there.
    run : str
        MLflow's id of the run; "" before it has one.
    settings : bool
        Whether the settings are there.
    events, samples : int
        How many rows of the events, and of the looks at its processes.
    final : bool
        Whether what is known at the end only is there: tags and test scores.
    sent_files : list of str
        Which of its files.
    package : bool
        Whether its model's files are there.
    version : int
        The number of the version that its model is; 0 before it has one.
    done : bool
        Whether that was all.
    """

    server: str
    model: str
    run: str = ""
    settings: bool = False
    events: int = 0
    samples: int = 0
    final: bool = False
    sent_files: list[str] = field(default_factory=list)
    package: bool = False
    version: int = 0
    done: bool = False

    @classmethod
    def read(cls, folder: Path, *, address: str, model: str) -> SendProgress:
        """Read how far it is with a registry; what another one has counts for nothing."""
        anew = cls(shown_address(address), model)
        try:
            found = cls(**json.loads((folder / FILE).read_bytes()))
        except (OSError, ValueError, TypeError):
            return anew
        return found if (found.server, found.model) == (anew.server, anew.model) else anew

    def write(self, folder: Path) -> None:
        """Keep it."""
        write_whole(folder / FILE, json.dumps(asdict(self)).encode(), lasting=False)


def send_lock(folder: Path) -> AbstractContextManager[bool]:
    """Be the only one that sends a run; False in the body where somebody else does."""
    return folder_lock(folder, LOCK, wait=False)
