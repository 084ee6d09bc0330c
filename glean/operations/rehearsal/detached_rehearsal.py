"""A rehearsal in a process of its own: started, followed by its folder's files, ended."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from glean.errors import FederationError
from glean.operations.rehearsal.rehearsal_plan import RehearsalPlan
from glean.operations.rehearsal.rehearsal_steps import RehearsalStep
from glean.operations.worker_process import start_worker
from glean.runs.process_tree import still_runs

PLAN, PROCESS, STEPS, ERROR, LOG = "plan.json", "process.json", "steps.jsonl", "error", "log"
"""Files of its folder."""

END_S = 60.0
"""How long it may take to take all down."""

_WORKER = "glean.operations.rehearsal.rehearsal_worker"


@dataclass(frozen=True)
class RehearsalState:
    """How a rehearsal stands.

    Parameters
    ----------
    runs : bool
        Whether anything of it is up.
    steps : tuple of (str, RehearsalStep)
        What happened, each with its time, UTC.
    error : str
        What kept it from going on; "" where nothing did.
    """

    runs: bool = False
    steps: tuple[tuple[str, RehearsalStep], ...] = ()
    error: str = ""


class DetachedRehearsal:
    """The one rehearsal that a service may have at a time.

    Parameters
    ----------
    folder : Path
        Where its files lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._started: subprocess.Popen[bytes] | None = None

    def state(self) -> RehearsalState:
        """Say how it stands; it is none where there never was one."""
        lines = _lines(self._folder / STEPS)
        return RehearsalState(
            runs=self._runs(),
            steps=tuple(
                (str(line["time"]), RehearsalStep(line["text"], line["values"])) for line in lines
            ),
            error=_text(self._folder / ERROR),
        )

    def start(self, plan: RehearsalPlan) -> None:
        """Start one.

        Raises
        ------
        FederationError
            One goes on already, or it can't be started.
        """
        with self._lock:
            if self._runs():
                raise FederationError("a rehearsal goes on already: end it first")
            try:
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder.mkdir(mode=0o700, parents=True)
                (self._folder / PLAN).write_text(json.dumps(asdict(plan)), encoding="utf-8")
                self._started = start_worker(_WORKER, self._folder, self._folder / LOG)
            except OSError as error:
                raise FederationError(f"a rehearsal can't be started: {error}") from error

    def end(self) -> bool:
        """End it and all that it started; whether there was one.

        Raises
        ------
        FederationError
            It takes too long.
        """
        with self._lock:
            process = self._process()
            if process is None:
                return False
            with suppress(psutil.NoSuchProcess):
                process.terminate()
                try:
                    process.wait(END_S)
                except psutil.TimeoutExpired:
                    raise FederationError(
                        "the rehearsal is still being taken down: look again in a moment"
                    ) from None
            self._runs()  # a process of our own stays a zombie until it was asked
            return True

    def _runs(self) -> bool:
        return self._process() is not None

    def _process(self) -> psutil.Process | None:
        """Find its process: the one that was started here, or by a service before this one."""
        if self._started is not None and self._started.poll() is None:
            return psutil.Process(self._started.pid)
        try:
            found = json.loads((self._folder / PROCESS).read_bytes())
        except (OSError, ValueError):
            return None
        return psutil.Process(found["pid"]) if still_runs(found) else None


def _lines(path: Path) -> list[dict[str, Any]]:
    """Read what is whole: a last line without its end is being written."""
    whole, _, _ = _text(path).rpartition("\n")
    return [json.loads(line) for line in whole.splitlines()]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
