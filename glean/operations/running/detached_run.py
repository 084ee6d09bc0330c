"""Runs that outlive whoever starts them: each a process of its own, found again by its folder.

The folder is that of its `RunRequest`. The process writes there who it is, then the id of its run,
and what kept it from running; what the run itself does stands in the run's own folder. Whoever
started it may be killed and started again: all that is known is in these files.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import psutil

from glean.errors import FederationError
from glean.operations.running.run_request import RunRequest
from glean.operations.slurm.slurm_job import STOP, SlurmJob, end_of_log, read_job
from glean.operations.worker_process import start_worker
from glean.runs.folder import INTERRUPTED
from glean.runs.process_tree import end_tree, still_runs

PROCESS, RUN_ID, ERROR, LOG = "process.json", "run-id", "error", "log"
SUMMARY = "summary"
"""Files beside a request."""

_NOBODY = {"error": INTERRUPTED}
"""In the place of a process: none will run."""

STOP_S = 15.0
"""How long a run that shall stop may take to say so in its folder and to end what it started."""

_POLL_S = 0.1


class ProcessState(StrEnum):
    """What is known of the process of a request."""

    NOT_STARTED = "not started"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True)
class DetachedRun:
    """What the files beside a request say.

    Parameters
    ----------
    state : ProcessState
        Whether its process runs.
    run_id : int or None
        Flower's id of its run, which ends the name of the run's folder; None while it has none.
    error : str
        What kept it from running, or why a deployment's run failed; "" where nothing did.
    summary : str or None
        What a deployment's run brought, once it has completed; None before, and of simulations.
    job : SlurmJob or None
        The SLURM job in which it runs; None where there is none, or none yet.
    """

    state: ProcessState
    run_id: int | None = None
    error: str = ""
    summary: str | None = None
    job: SlurmJob | None = None

    @property
    def waits_for_a_process(self) -> bool:
        """Whether a process shall work on it and none does.

        A job outlives the process that follows it; another one then follows it.
        """
        if self.state is ProcessState.NOT_STARTED:
            return True
        return self.state is ProcessState.ENDED and self.job is not None and not self.error


def start_detached(folder: Path) -> subprocess.Popen[bytes]:
    """Start the process of a request, in a session of its own.

    Started twice, the second one finds the first one's file and goes.

    Parameters
    ----------
    folder : Path
        That of the request.

    Returns
    -------
    Popen
        The process, to be polled once it has ended: it would stay a zombie until then.

    Raises
    ------
    OSError
        Its log can't be written, or there is no process to be had.
    """
    worker = "slurm_follower" if _runs_on_slurm(folder) else "detached_worker"
    return start_worker(f"glean.operations.running.{worker}", folder, folder / LOG)


def read_detached(folder: Path) -> DetachedRun:
    """Read what became of a request, from its folder.

    Parameters
    ----------
    folder : Path
        That of the request.
    """
    process = _process_of(folder)
    if process is None:
        return DetachedRun(ProcessState.NOT_STARTED, error=_text(folder / ERROR))
    state = ProcessState.RUNNING if still_runs(process) else ProcessState.ENDED
    run_id = _text(folder / RUN_ID)
    number = int(run_id) if run_id.isdecimal() else None
    done = (folder / SUMMARY).is_file()
    summary = _text(folder / SUMMARY) if done else None
    error = _text(folder / ERROR) or str(process.get("error", ""))
    return DetachedRun(state, number, error, summary, read_job(folder))


def stop_detached(folder: Path) -> None:
    """End the process of a request and all that it started; its run's folder says that it ended.

    One that has yet to begin, or to say that it did, finds the request taken and goes. Of one that
    has ended nothing is done. A SLURM job is cancelled by the process that follows it, which also
    tries again where SLURM doesn't answer.
    """
    on_slurm = _runs_on_slurm(folder)
    if on_slurm:
        (folder / STOP).touch()
    if claim(folder, _NOBODY):
        return
    if on_slurm:
        _wait_for_the_end(folder)
        return
    process = _process_of(folder)
    if process is None or not still_runs(process):
        return
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(process["pid"])
        # Alone, and not with what it started: then it can say in its folder how it ended.
        root.terminate()
        deadline = time.monotonic() + STOP_S
        while still_runs(process) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        if still_runs(process):
            end_tree(root)


def claim(folder: Path, process: Mapping[str, Any]) -> bool:
    """Say who works on a request, unless somebody does or did already.

    Parameters
    ----------
    folder : Path
        That of the request.
    process : mapping
        As `this_process` describes it.

    Returns
    -------
    bool
        Whether it is theirs now.
    """
    mine = folder / f".{PROCESS}-{os.getpid()}-{threading.get_ident()}"
    mine.write_text(json.dumps(dict(process)), encoding="utf-8")
    try:
        # Unlike a rename this fails where there is one; unlike a new file it's never half there.
        (folder / PROCESS).hardlink_to(mine)
    except FileExistsError:
        return False
    finally:
        mine.unlink()
    return True


def log_of(folder: Path, *, most_bytes: int) -> str:
    """Read the end of what the process of a request printed, and its job if it has one."""
    job = read_job(folder)
    paths = [folder / LOG] if job is None else [folder / LOG, Path(job.log)]
    return "".join(end_of_log(path, most_bytes=most_bytes) for path in paths)[-most_bytes:]


def _runs_on_slurm(folder: Path) -> bool:
    try:
        return RunRequest.read(folder).engine == "slurm"
    except FederationError:
        return False  # its process will say so


def _wait_for_the_end(folder: Path) -> None:
    """Wait until the process that follows a job has said how it ended, or another one has to."""
    deadline = time.monotonic() + STOP_S
    followed = False
    while time.monotonic() < deadline:
        found = read_detached(folder)
        if found.error or (followed and found.state is ProcessState.ENDED):
            return
        followed = followed or found.state is ProcessState.RUNNING
        time.sleep(_POLL_S)


def _process_of(folder: Path) -> dict[str, Any] | None:
    try:
        found = json.loads((folder / PROCESS).read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
