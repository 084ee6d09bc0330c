"""The runs in a results' folder: listed, found, and read. Nothing else reads a `run.json`."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glean.errors import GleanError
from glean.languages.vocabulary import Vocabulary
from glean.regular_files import read_regular, words_of
from glean.runs.process_tree import still_runs
from glean.workloads import vocabulary_of

LATEST = "latest"

RECORD = "run.json"
"""What makes a folder a run's."""

RUNNING, COMPLETED, FAILED = "running", "completed", "failed"

GONE = (
    "its process has gone without a word: it was killed, or the machine went down; --resume with "
    "its folder goes on with it"
)
"""Reason of a run that couldn't say how it ended."""


@dataclass(frozen=True)
class StoredRun:
    """What the `run.json` of a run says.

    Parameters
    ----------
    folder : Path
        The run's folder.
    facts : mapping
        All of `run.json`; keys that an older version didn't write are missing.
    gone : bool
        Whether it says that it runs, yet its process, on this machine, doesn't any more.
    """

    folder: Path
    facts: Mapping[str, Any]
    gone: bool = False

    @property
    def status(self) -> str:
        """Either "running", "completed" or "failed", also of a run that was killed; or ""."""
        return FAILED if self.gone else str(self.facts.get("status") or "")

    @property
    def reason(self) -> str:
        """Why it failed; "" where nothing is said."""
        return GONE if self.gone else str(self.facts.get("reason") or "")

    @property
    def engine(self) -> str:
        """Either "inprocess", "ray" or "deployment"; "" where nothing is said."""
        return str(self.facts.get("engine") or "")

    @property
    def settings(self) -> dict[str, Any]:
        """Run config of the run, kebab-case; empty where nothing is said."""
        found = self.facts.get("settings")
        return found if isinstance(found, dict) else {}

    @property
    def vocabulary(self) -> Vocabulary:
        """What its clients are called."""
        return vocabulary_of(self.settings.get("workload"))


def is_run(folder: Path) -> bool:
    """Whether a folder is a run's: it has a `run.json`, be it damaged."""
    return (folder / RECORD).is_file()


def read_run(folder: Path) -> StoredRun:
    """Read the `run.json` of a run, and see whether a run that goes on still has its process.

    Of a process of another machine nobody knows: its run goes on as far as its file says.

    Raises
    ------
    GleanError
        It is missing or damaged.
    """
    facts = _read_facts(folder)
    if _is_gone(facts):
        facts = _read_facts(folder)  # it may have ended as it should in between
    return StoredRun(folder, facts, gone=_is_gone(facts))


def _is_gone(facts: Mapping[str, Any]) -> bool:
    process = facts.get("process")
    here = isinstance(process, dict) and process.get("host") == socket.gethostname()
    return here and facts.get("status") == RUNNING and not still_runs(process)


def _read_facts(folder: Path) -> dict[str, Any]:
    path = folder / "run.json"
    try:
        facts = json.loads(read_regular(path))
    except FileNotFoundError as error:
        raise GleanError(
            f"{folder}: found no run.json; wanted the folder of a run, like results/latest"
        ) from error
    except OSError as error:
        raise GleanError(
            f"{words_of(error)}; wanted the folder of a run, like results/latest"
        ) from error
    except (ValueError, RecursionError) as error:
        raise GleanError(f"{path}: can't be read as JSON ({error}); run again") from error
    if not isinstance(facts, dict):
        raise GleanError(f"{path}: found a {type(facts).__name__}; wanted a JSON object; run again")
    return facts


def find_run(results: Path, which: int | str) -> Path | None:
    """Find the folder of a run, None while there is none.

    Parameters
    ----------
    results : Path
        Folder of the runs.
    which : int or str
        The run's id; "latest"; or the path of its folder, from `results` or from here.
    """
    if isinstance(which, int) or which.isdecimal():
        return next(iter(sorted(results.glob(f"*-{which}"))), None)
    paths = (results / which, Path(which))
    return next((path.resolve() for path in paths if is_run(path)), None)


def list_runs(results: Path) -> list[StoredRun]:
    """Read every run of a results' folder, the newest first; damaged ones are left out."""
    return [run for folder in reversed(run_folders(results)) if (run := _readable(folder))]


def run_folders(results: Path) -> list[Path]:
    """List the folders of a results' folder that are runs', the oldest first.

    Hidden ones are none: runs that are still being fetched, or that a kill left half fetched.
    """
    found = [path.parent for path in results.glob("*/run.json")]
    return sorted(path for path in found if path.name != LATEST and path.name[0] != ".")


def signature_of(folder: Path) -> str:
    """Say what a run's files look like: as long as that stays, so does what they say."""
    return " ".join(_stamp(folder / name) for name in ("run.json", "events.jsonl"))


def _stamp(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:
        return "-"
    return f"{found.st_mtime_ns}:{found.st_size}"


def _readable(folder: Path) -> StoredRun | None:
    try:
        return read_run(folder)
    except GleanError:
        return None
