"""The process beside a SLURM job: it submits the job of a request, follows it, and cancels it.

Where this process is killed, the job goes on, and the service starts another one that follows it.
What becomes of the run, the job itself says in the run's folder; where it couldn't (it was
cancelled, its time was up, its node went down), this process says it.
"""

from __future__ import annotations

import fcntl
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

from glean.errors import GleanError
from glean.operations.running.detached_run import (
    ERROR,
    PROCESS,
    claim,
    read_detached,
)
from glean.operations.running.run_request import RunRequest
from glean.operations.slurm.slurm import SlurmSilentError, cancel_job, job_state, submit_job
from glean.operations.slurm.slurm_job import FORGOTTEN, STOP, SlurmJob, end_of_job_log, read_job
from glean.runs.cut_off import close_run
from glean.runs.folder import INTERRUPTED, reason_of, write_whole
from glean.runs.index import COMPLETED, FAILED, StoredRun, find_run, read_run
from glean.runs.process_tree import this_process

LOOK_EVERY_S, LOOK_WHILE_STOPPING_S = 5.0, 1.0
"""How often SLURM is asked: seldom enough for it, often enough to tell an end within 10 s."""

SILENCE_S = 30.0
"""After so long without an answer that is said; and a job that SLURM doesn't know is given up."""

SHARED_FILES_S = 60.0
"""How long a file from another machine may take to appear here: NFS keeps for 60 s at most that
there is none (acdirmax, nfs(5))."""

LOG_LINES = 15
"""How many of a job's last lines go into the reason of its failure."""

_POLL_S = 0.3


def main(folder: Path) -> int:
    """Submit and follow the job of the request in a folder; the exit code is 0 at its good end."""
    if not (claim(folder, this_process()) or _taken_over(folder)):
        return 0
    try:
        reason = _submitted_and_watched(RunRequest.read(folder), folder)
    except Exception as error:
        write_whole(folder / ERROR, reason_of(error).encode())
        if isinstance(error, GleanError):
            return 1
        raise
    if reason:
        write_whole(folder / ERROR, reason.encode())
    return int(bool(reason))


def _taken_over(folder: Path) -> bool:
    """Whether this process goes on in the place of one that followed the job and was killed."""
    with (folder / ".taken-over").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not read_detached(folder).waits_for_a_process:
            return False
        write_whole(folder / PROCESS, json.dumps(this_process()).encode())
    return True


def _submitted_and_watched(request: RunRequest, folder: Path) -> str:
    """Submit the job unless it is, and follow it; give the reason why the run failed.

    "" where it completed, or says itself why it failed.
    """
    job = read_job(folder)
    if job is None:
        submitted = submit_job(_job_command(folder), request.job)
        job = SlurmJob(submitted.number, str(submitted.log))
        job.write(folder)
        sys.stdout.write(f"job {job.number} is submitted; its log: {job.log}\n")
        sys.stdout.flush()
    job = _followed(job, folder)
    reason = _settled(job, folder, Path(request.results))
    # Last: whoever reads that the job has ended looks no further.
    job.write(folder)
    return reason


def _job_command(folder: Path) -> list[str]:
    return [sys.executable, "-m", "glean.operations.running.slurm_worker", str(folder)]


def _followed(job: SlurmJob, folder: Path) -> SlurmJob:
    """Follow a job to its end, and cancel it once that is wanted."""
    watch = JobWatch(job)
    look_at = -LOOK_EVERY_S
    while not watch.job.ended:
        stopping = (folder / STOP).exists()
        pause_s = LOOK_WHILE_STOPPING_S if stopping else LOOK_EVERY_S
        if time.monotonic() - look_at >= pause_s:
            look_at = time.monotonic()
            before = watch.job
            watch.look(cancel=stopping)
            if watch.job != before and not watch.job.ended:
                watch.job.write(folder)
        time.sleep(_POLL_S)
    return watch.job


class JobWatch:
    """A job as SLURM's answers tell it, one after another.

    Parameters
    ----------
    job : SlurmJob
        As it was seen last.
    """

    def __init__(self, job: SlurmJob) -> None:
        self.job = job
        self._answered = time.monotonic()
        self._cancelled = False

    def look(self, *, cancel: bool) -> None:
        """Ask SLURM, and first have it cancel the job where that is wanted."""
        try:
            if cancel and not self._cancelled:
                cancel_job(self.job.number)
                self._cancelled = True  # asked again while it ends, Ray hangs
            seen = job_state(self.job.number)
        except SlurmSilentError as error:
            if self._is_silent():
                self.job = replace(self.job, reason=f"SLURM doesn't answer: {error}")
            return
        if seen is not None:
            self._answered = time.monotonic()
            self.job = replace(self.job, state=seen.state, reason=seen.reason)
        elif self._is_silent():
            self.job = replace(self.job, state=FORGOTTEN, reason="")

    def _is_silent(self) -> bool:
        return time.monotonic() - self._answered >= SILENCE_S


def _settled(job: SlurmJob, folder: Path, results: Path) -> str:
    """Say in the run's folder how it ended if it can't have said so; give the reason of a failure.

    "" where the run says it itself.
    """
    stopped = (folder / STOP).exists()
    # By these two the job's command ended by itself, and had its say.
    by_itself = job.state in ("COMPLETED", "FAILED") and not stopped
    if by_itself:
        _wait_for_its_word(job, folder, results)
    run = _run_of(folder, results)
    if run is not None and (run.status == COMPLETED or (by_itself and _has_failed(run))):
        return ""
    reason = (
        INTERRUPTED
        if stopped
        else (by_itself and read_detached(folder).error) or _story(job, folder)
    )
    if run is not None:
        close_run(run.folder, reason, knows_better=True)
    return reason


def _wait_for_its_word(job: SlurmJob, folder: Path, results: Path) -> None:
    """Wait until the files of a job are here; one that failed may have none."""
    deadline = time.monotonic() + SHARED_FILES_S
    while time.monotonic() < deadline:
        found, run = read_detached(folder), _run_of(folder, results)
        ran = job.state == "COMPLETED" or found.run_id is not None
        if found.error or not ran or (run is not None and run.status in (COMPLETED, FAILED)):
            return
        time.sleep(_POLL_S)


def _has_failed(run: StoredRun) -> bool:
    return run.status == FAILED and not run.gone


def _run_of(folder: Path, results: Path) -> StoredRun | None:
    run_id = read_detached(folder).run_id
    found = find_run(results, run_id) if run_id is not None else None
    try:
        return read_run(found) if found is not None else None
    except GleanError:
        return None


def _story(job: SlurmJob, folder: Path) -> str:
    """Say how SLURM ended a job, with the last lines of its log."""
    state = job.state
    if state == FORGOTTEN:
        state = "SLURM knows nothing of it any more"
    words = f"SLURM job {job.number}: {state}" + (f" ({job.reason})" if job.reason else "")
    log = end_of_job_log(folder, LOG_LINES)
    return f"{words}; its log ends:\n{log}" if log else f"{words}; it has no log {job.log}"


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
