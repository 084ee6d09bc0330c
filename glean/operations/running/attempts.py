"""The attempts at a request that workers make: each has a folder of its own within the request's.

It is a `detached_run`'s folder: the process says there who it is, the id of its run, and what kept
it from running.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from glean.operations.running.detached_run import LOG, RUN_ID
from glean.operations.running.run_request import RunRequest
from glean.operations.running.watched_process import WatchedProcess
from glean.runs.folder import write_whole

RESUME = "resume"
"""File beside a request that names the folder of the run that it goes on with, if that can be."""

_NAME = "attempt-"


def attempt_folder(request: Path, number: int) -> Path:
    """Give the folder of an attempt at the request of a folder."""
    return request / f"{_NAME}{number}"


def list_attempts(request: Path) -> list[tuple[int, Path]]:
    """List the attempts at a request with their numbers, the first one first."""
    found = [
        (int(number), path)
        for path in request.glob(f"{_NAME}*")
        if (number := path.name.removeprefix(_NAME)).isdecimal()
    ]
    return sorted(found)


def flower_id_in(folder: Path) -> str:
    """Read Flower's id of the run of an attempt; "" while it has none."""
    try:
        return (folder / RUN_ID).read_text(encoding="utf-8")
    except OSError:
        return ""


def earlier_ids(known: Sequence[str], request: Path) -> list[str]:
    """Give Flower's ids of the earlier attempts, those too that their workers couldn't write down.

    Parameters
    ----------
    known : sequence of str
        Those that the queue knows, in order; "" of one that it doesn't.
    request : Path
        Folder of the request, as far as it is at hand.
    """
    found = list(known)
    for number, folder in list_attempts(request):
        if number <= len(found) and not found[number - 1]:
            found[number - 1] = flower_id_in(folder)
    return found


def go_on_with(folder: Path, run: Path) -> None:
    """Have the request of a folder go on with a run that was cut off."""
    write_whole(folder / RESUME, str(run).encode())


def start_attempt(folder: Path, request: RunRequest, *, before: Path | None) -> WatchedProcess:
    """Start an attempt: a process that ends with this one.

    Parameters
    ----------
    folder : Path
        Its folder, which is made.
    request : RunRequest
        What shall be run.
    before : Path, optional
        Folder of the run of an earlier attempt, with which it goes on if that can be.

    Raises
    ------
    OSError
        There is such an attempt, it can't be written, or there is no process to be had.
    """
    request.write(folder)
    if before is not None:
        go_on_with(folder, before)
    return WatchedProcess("glean.operations.running.detached_worker", folder, folder / LOG)
