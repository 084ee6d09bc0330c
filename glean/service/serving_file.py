"""Whether a service runs over a folder of results, and where it is reached: told by a file."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glean.errors import GleanError
from glean.runs.folder import utc_now, write_whole
from glean.runs.process_tree import still_runs, this_process

FILE = "serving.json"
LOCK = "serving.lock"


@dataclass(frozen=True)
class ServingState:
    """A service that runs, or the last one that did.

    Parameters
    ----------
    running : bool
        Whether it runs now, on this machine.
    address : str
        Where it is reached; "" where none ever was.
    since : str
        When it began, UTC.
    pid : int or None
        Its process; None where it doesn't run.
    """

    running: bool = False
    address: str = ""
    since: str = ""
    pid: int | None = None


@contextmanager
def serving_file(home: Path, address: str) -> Iterator[None]:
    """Say that a service runs, until the end of the body.

    Parameters
    ----------
    home : Path
        Folder of what the service keeps.
    address : str
        Where it listens.
    """
    path = home / FILE
    facts = {"address": address, "since": utc_now(), "process": this_process()}
    write_whole(path, json.dumps(facts).encode())
    try:
        yield
    finally:
        if _read(path).get("process") == facts["process"]:
            path.unlink(missing_ok=True)


@contextmanager
def only_service(home: Path) -> Iterator[None]:
    """Be the only service over a folder of results, until the end of the body.

    Parameters
    ----------
    home : Path
        Folder of what the service keeps.

    Raises
    ------
    GleanError
        There is one already, or nothing can be kept there.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(home / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise GleanError(f"can't keep anything in {home}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise GleanError(
                f"a service runs over {home.parent} already: end that first, or take another "
                "folder by --results"
            ) from None
        yield
    finally:
        os.close(descriptor)


def read_serving_state(home: Path) -> ServingState:
    """Say whether a service runs; one that was killed doesn't, whatever its file says."""
    facts = _read(home / FILE)
    process = facts.get("process")
    running = still_runs(process)
    return ServingState(
        running=running,
        address=str(facts.get("address", "")),
        since=str(facts.get("since", "")),
        pid=process["pid"] if running and isinstance(process, dict) else None,
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
