"""What a SLURM job runs: the request in a folder, on the job's own Ray, with the job's log told.

It leaves beside the request the id of its run, by which the service finds the run's folder, and
what kept it from running.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from glean.errors import FederationError, GleanError
from glean.languages.language import Language
from glean.operations.running.detached_run import ERROR, RUN_ID, read_detached
from glean.operations.running.run_request import RunRequest, prepare_request
from glean.operations.running.simulation import PreparedSimulation, run_simulation
from glean.operations.slurm.slurm_job import STOP, read_job
from glean.runs.folder import INTERRUPTED, known_events, write_whole
from glean.runs.index import COMPLETED, find_run, read_run

KNOWN_LIMIT_S = 60.0
"""How long it may take until its number stands beside the request: NFS keeps for so long at most
that there is no such file."""

_POLL_S = 0.5


def main(folder: Path) -> int:
    """Run what the request in a folder asks for; the exit code is 0 if the run completed."""
    misplaced = _why_not_here(folder)
    if misplaced:
        _log_line(misplaced)
        return 1
    try:
        with _ended_by_slurm(folder):
            reason = _run(RunRequest.read(folder), folder)
    except GleanError as error:
        reason = str(error)
        write_whole(folder / ERROR, reason.encode())
    except KeyboardInterrupt:
        reason = INTERRUPTED
        write_whole(folder / ERROR, reason.encode())
    if reason:
        _log_line(f"the run failed: {reason}")
    return int(bool(reason))


def _run(request: RunRequest, folder: Path) -> str:
    """Run a request; give the reason why the run failed, "" where it completed."""
    prepared = prepare_request(request)
    assert isinstance(prepared, PreparedSimulation), "a job runs a simulation"
    with _told(Path(request.results), prepared.language) as tell:

        def started(run_id: int) -> None:
            write_whole(folder / RUN_ID, str(run_id).encode())
            tell(run_id)

        run = read_run(run_simulation(prepared, started))
    return "" if run.status == COMPLETED else run.reason or run.status


def _why_not_here(folder: Path) -> str:
    """Say why this job isn't to run the request: it isn't the request's job, or ran it before."""
    own = int(os.environ["SLURM_JOB_ID"])
    deadline = time.monotonic() + KNOWN_LIMIT_S
    while (job := read_job(folder)) is None and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    if job is None or job.number != own:
        return f"nobody waits for job {own}: the process that submitted it was killed just then"
    if read_detached(folder).run_id is not None:
        return f"SLURM began job {own} once more; go on with its run as a new one"
    return ""


@contextmanager
def _ended_by_slurm(folder: Path) -> Iterator[None]:
    """Let SIGTERM end the body, with a reason: by it SLURM asks at a scancel and at the time limit.

    It comes more than once, from SLURM and from `submit-job.sh`; the first one counts.
    """

    def end(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)
        if (folder / STOP).exists():
            raise KeyboardInterrupt
        raise FederationError("SLURM ended its job: it was cancelled, or its time was up")

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _told(results: Path, words: Language) -> Iterator[Callable[[int], None]]:
    """Tell the job's log what happens in a run while the body runs; the body tells the run's id."""
    known: list[int] = []
    ended = threading.Event()
    teller = threading.Thread(target=_tell, args=(results, known, ended, words), daemon=True)
    teller.start()
    try:
        yield known.append
    finally:
        ended.set()
        teller.join()


def _tell(results: Path, known: list[int], ended: threading.Event, words: Language) -> None:
    told = 0
    last = False
    while not last:
        last = ended.wait(_POLL_S)
        folder = find_run(results, known[0]) if known else None
        events = known_events(folder / "events.jsonl") if folder is not None else []
        for event in events[told:]:
            _log_line(event.sentence_in(words))
        told = max(told, len(events))


def _log_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
