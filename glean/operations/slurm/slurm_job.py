"""The SLURM job of a request, as a file beside it says: its number, its log, how it stands."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from glean.operations.slurm.slurm import ENDED_STATES
from glean.runs.folder import write_whole

JOB, STOP = "job.json", "stop"
"""Files beside a request: its job, and that it shall be stopped."""

_MOST_BYTES = 20_000

FORGOTTEN = "UNKNOWN"
"""State of a job of which SLURM knows nothing any more."""


@dataclass(frozen=True)
class SlurmJob:
    """A job as it was seen last.

    Parameters
    ----------
    number : int
        SLURM's number.
    log : str
        File of its output, absolute; it comes once the job begins.
    state : str
        SLURM's word, like "PENDING"; "UNKNOWN" where SLURM knows the job no more.
    reason : str
        SLURM's word on why it waits or how it ended, or that SLURM doesn't answer; mostly "".
    """

    number: int
    log: str
    state: str = "PENDING"
    reason: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing comes of it any more."""
        return self.state in ENDED_STATES or self.state == FORGOTTEN

    def write(self, folder: Path) -> None:
        """Keep it beside a request."""
        write_whole(folder / JOB, json.dumps(asdict(self)).encode())


def read_job(folder: Path) -> SlurmJob | None:
    """Read the job beside a request; None where there is none.

    Parameters
    ----------
    folder : Path
        That of the request.
    """
    try:
        return SlurmJob(**json.loads((folder / JOB).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def end_of_job_log(folder: Path, lines: int) -> str:
    """Read the last lines of the log of the job beside a request; "" while there are none.

    Parameters
    ----------
    folder : Path
        That of the request.
    lines : int
        How many lines at most.
    """
    job = read_job(folder)
    text = end_of_log(Path(job.log), most_bytes=_MOST_BYTES) if job else ""
    return "\n".join(text.splitlines()[-lines:])


def end_of_log(path: Path, *, most_bytes: int) -> str:
    """Read the end of a log; "" where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - most_bytes))
            return file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
