"""Commands of a made-up SLURM on a PATH: they answer from files, and note what they were told."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

NUMBER = 42

_SBATCH = """#!/bin/bash
cat >"$0.script"
env >"$0.environment"
[ ! -s "$0.refusal" ] || { cat "$0.refusal" >&2; exit 1; }
echo 42
"""
_SQUEUE = """#!/bin/bash
echo "$*" >>"$0.calls"
[ ! -s "$0.error" ] || { cat "$0.error" >&2; exit 1; }
cat "$0.answer"
"""
_SACCT = """#!/bin/bash
[ -s "$0.answer" ] || { echo "Slurm accounting storage is disabled" >&2; exit 1; }
cat "$0.answer"
"""
_SCANCEL = """#!/bin/bash
[ ! -s "$0.error" ] || { cat "$0.error" >&2; exit 1; }
echo "$*" >>"$0.calls"
echo "CANCELLED|None" >"$(dirname "$0")/squeue.answer"
"""
_PROGRAMS = {"sbatch": _SBATCH, "squeue": _SQUEUE, "sacct": _SACCT, "scancel": _SCANCEL}

FORGOTTEN = "slurm_load_jobs error: Invalid job id specified"
UNREACHABLE = "squeue: error: Unable to contact slurm controller (connect failure)"


class FakeSlurm:
    """A SLURM with one job, number 42, which stands as it is told.

    Parameters
    ----------
    folder : Path
        Where its commands are made.
    home : Path
        Where `submit-job.sh` has the logs.
    """

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder, self.home = folder, home
        folder.mkdir()
        for name, text in _PROGRAMS.items():
            (folder / name).write_text(text, encoding="utf-8")
            (folder / name).chmod(0o755)
        self.stands("PENDING", "Resources")

    def use(self, patch: pytest.MonkeyPatch) -> None:
        """Put its commands on the PATH of this process, in a home of its own."""
        self.home.mkdir(exist_ok=True)
        patch.setenv("PATH", f"{self.folder}:/usr/bin:/bin")
        patch.setenv("HOME", str(self.home))

    def stands(self, state: str, reason: str = "None") -> None:
        """Say how the job stands from now on; what was amiss is over."""
        self._tell("squeue.answer", f"{state}|{reason}\n")
        self._tell("squeue.error", "")

    def fails(self, error: str, *, command: str = "squeue") -> None:
        """Let a command fail from now on with these words; "" ends that."""
        self._tell(f"{command}.error", error)

    def refuses(self, words: str) -> None:
        """Let SLURM refuse what is submitted."""
        self._tell("sbatch.refusal", words)

    def records(self, state: str) -> None:
        """Say what the accounting knows of the job."""
        self._tell("sacct.answer", f"{state}\n")

    @property
    def log(self) -> Path:
        """The job's log."""
        return self.home / "logs" / f"job_{NUMBER}.out"

    @property
    def script(self) -> str:
        """The batch script that was submitted last."""
        return (self.folder / "sbatch.script").read_text(encoding="utf-8")

    @property
    def environment(self) -> dict[str, str]:
        """What `sbatch` had in its environment."""
        lines = (self.folder / "sbatch.environment").read_text(encoding="utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    @property
    def command(self) -> list[str]:
        """The words that the job runs."""
        (line,) = [part for part in self.script.splitlines() if part.startswith("command=")]
        return shlex.split(shlex.split(line.removeprefix("command="))[0])

    def calls(self, command: str) -> list[str]:
        """What a command was told, call by call."""
        path = self.folder / f"{command}.calls"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def _tell(self, name: str, text: str) -> None:
        # As a whole: a command may read it just then.
        fresh = self.folder / f".{name}"
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(self.folder / name)


def write_run(results: Path, run_id: int, **facts: object) -> Path:
    """A run's folder that says so much of itself."""
    folder = results / f"20260501T120000Z-{run_id}"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    return folder
