"""SLURM's commands: a job submitted through `submit-job.sh`, looked at, and cancelled."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from glean.errors import FederationError
from glean.operations.slurm.job_options import option_words
from glean.runs.code_version import PACKAGE

SUBMIT_SCRIPT = PACKAGE.parent / "submit-job.sh"
"""Of a checkout; a wheel has none."""

SUBMIT_LIMIT_S, ANSWER_LIMIT_S = 120.0, 20.0

ENDED_STATES = frozenset(
    {
        "BOOT_FAIL",
        "CANCELLED",
        "COMPLETED",
        "DEADLINE",
        "FAILED",
        "LAUNCH_FAILED",
        "NODE_FAIL",
        "OUT_OF_MEMORY",
        "PREEMPTED",
        "RECONFIG_FAIL",
        "TIMEOUT",
    }
)
"""States after which a job does nothing more (squeue(1), "job state codes")."""

_UNKNOWN_JOB = "Invalid job id"


class SlurmSilentError(FederationError):
    """SLURM doesn't answer; that says nothing of its jobs."""


@dataclass(frozen=True)
class JobState:
    """How a job stands.

    Parameters
    ----------
    state : str
        SLURM's word, like "PENDING".
    reason : str
        SLURM's word on why it waits or how it ended, like "Resources"; "" where it has none.
    """

    state: str
    reason: str = ""


@dataclass(frozen=True)
class SubmittedJob:
    """A job that SLURM took.

    Parameters
    ----------
    number : int
        Its number.
    log : Path
        Where its output will be.
    """

    number: int
    log: Path


def why_no_slurm() -> str:
    """Say what keeps jobs from being submitted from here; "" where nothing does."""
    if not SUBMIT_SCRIPT.is_file():
        return (
            f"{SUBMIT_SCRIPT.name} isn't beside the package; wanted a checkout of Glean, "
            "installed by `pip install -e .`"
        )
    if shutil.which("sbatch") is None:
        return "sbatch isn't on the PATH; wanted a login node of a SLURM cluster"
    return ""


def job_profile(options: Mapping[str, int | str]) -> Path:
    """Give the file of resources for Ray in a job: with its GPUs, or without."""
    return SUBMIT_SCRIPT.with_name("cluster-gpu.toml" if "gpus" in options else "cluster-cpu.toml")


def submit_job(words: Sequence[str], options: Mapping[str, int | str]) -> SubmittedJob:
    """Submit a command as a job, by `submit-job.sh`.

    Parameters
    ----------
    words : sequence of str
        The command.
    options : mapping
        Of `JOB_OPTIONS`.

    Raises
    ------
    FederationError
        SLURM doesn't take it; in its own words.
    """
    missing = why_no_slurm()
    if missing:
        raise FederationError(missing)
    environment = {
        **os.environ,
        # The job then uses the environment in which this runs.
        "VIRTUAL_ENV": sys.prefix,
        # Begun once more, after the end of its node, it would be another run.
        "SBATCH_NO_REQUEUE": "1",
    }
    typed = [str(SUBMIT_SCRIPT), shlex.join(words), *option_words(options)]
    done = _command(typed, limit_s=SUBMIT_LIMIT_S, environment=environment)
    number = re.search(r"^job (\d+) is submitted$", done.stdout, re.MULTILINE)
    log = re.search(r"^log: +(.+)$", done.stdout, re.MULTILINE)
    if done.returncode or number is None or log is None:
        raise FederationError(f"the job isn't submitted: {done.stderr.strip() or done.stdout}")
    return SubmittedJob(int(number[1]), Path(log[1]))


def job_state(number: int) -> JobState | None:
    """Ask how a job stands; None where SLURM knows it no more.

    Raises
    ------
    SlurmSilentError
        There is no answer.
    """
    typed = ["squeue", "--noheader", "--states=all", f"--jobs={number}", "--format=%T|%r"]
    done = _command(typed)
    if done.returncode and _UNKNOWN_JOB not in done.stderr:
        raise SlurmSilentError(done.stderr.strip() or "squeue failed without a word")
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        return _recorded_state(number)
    state, _, reason = lines[0].strip().partition("|")
    return JobState(state, "" if reason == "None" else reason)


def cancel_job(number: int) -> None:
    """Cancel a job; of one that has ended nothing is done.

    Raises
    ------
    SlurmSilentError
        There is no answer.
    """
    done = _command(["scancel", str(number)])
    if done.returncode and _UNKNOWN_JOB not in done.stderr:
        raise SlurmSilentError(done.stderr.strip() or "scancel failed without a word")


def _recorded_state(number: int) -> JobState | None:
    """Ask the accounting, where a cluster has one: squeue forgets a job minutes after its end."""
    typed = ["sacct", "--noheader", "--allocations", "--parsable2", f"--jobs={number}"]
    try:
        done = _command([*typed, "--format=State"])
    except SlurmSilentError:
        return None
    words = done.stdout.split()
    # "CANCELLED by 1000"
    return JobState(words[0]) if words and not done.returncode else None


def _command(
    words: Sequence[str],
    *,
    limit_s: float | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 # nosec B603 # our own words; options are checked
            words,
            env=environment,
            cwd=SUBMIT_SCRIPT.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit_s or ANSWER_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SlurmSilentError(f"{words[0]} didn't end within {error.timeout:.0f} s") from error
    except OSError as error:
        raise SlurmSilentError(f"{words[0]} can't be run: {error.strerror}") from error
