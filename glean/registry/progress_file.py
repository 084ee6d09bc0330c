"""How much of a run a registry has: kept in the run's folder, so that anybody can go on."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from glean.registry.registry_address import shown_address
from glean.runs.folder import write_whole

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
    files : int
        How many of its files.
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
    files: int = 0
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


@contextmanager
def send_lock(folder: Path) -> Iterator[bool]:
    """Be the only one that sends a run; False in the body where somebody else does."""
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)
