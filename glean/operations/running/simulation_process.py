"""A simulation as a process of its own: started, followed by what its folder says, stopped.

For whoever runs several at once, or must answer meanwhile: two runs in one process don't mix.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from glean.errors import FederationError
from glean.operations.running.progress import RunProgress, read_progress
from glean.operations.running.simulation import PreparedSimulation
from glean.operations.running.simulation_worker import ERROR, RUN_ID, write_request
from glean.operations.running.watched_process import POLL_S, WatchedProcess
from glean.runs.index import FAILED, GONE, RUNNING, find_run, is_run

_LOG = "log"
_WORKER = "glean.operations.running.simulation_worker"
_LOG_END = 2000


class SimulationProcess:
    """A simulation in a process of its own; as a context it is stopped at the end of the body.

    It ends too, with all that it started, when this process is killed. Call `stop` also after it
    has ended by itself: that frees what it held.

    Parameters
    ----------
    prepared : PreparedSimulation
        From `prepare_simulation`; the process is started at once.

    Examples
    --------
    ::

        with SimulationProcess(prepare_simulation({"num-server-rounds": 3})) as process:
            for progress in process.follow_progress():
                show(progress.fraction, progress.last_score)
            folder = process.result().folder
    """

    def __init__(self, prepared: PreparedSimulation) -> None:
        self._results = prepared.simulation.results
        self._scratch = tempfile.TemporaryDirectory(prefix="glean-")
        write_request(self._folder, prepared)
        self._process = WatchedProcess(_WORKER, self._folder, self._folder / _LOG)
        self._run_folder: Path | None = None
        self._end: RunProgress | FederationError | None = None
        self._stopped = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Number of the process, the leader of a session of its own."""
        return self._process.pid

    @property
    def folder(self) -> Path | None:
        """The run's folder, None while there is none."""
        run_id = self._said(RUN_ID)
        if self._run_folder is None and run_id:
            found = find_run(self._results, int(run_id))
            # A moment ago it may have been made, and still be empty.
            self._run_folder = found if found and is_run(found) else None
        return self._run_folder

    def running(self) -> bool:
        """Whether the process still runs."""
        return self._process.running()

    def follow_progress(self) -> Iterator[RunProgress]:
        """Yield the run's progress whenever it changes, until the process has ended."""
        last: RunProgress | None = None
        while self._end is None:
            running = self.running()
            progress = self._progress(running=running)
            if progress is not None and progress != last:
                yield progress
                last = progress
            if not running:
                return
            time.sleep(POLL_S)

    def result(self) -> RunProgress:
        """Wait for the end of the run; how it ended.

        Raises
        ------
        FederationError
            It couldn't be started, or left no folder.
        """
        while self._end is None and self.running():
            time.sleep(POLL_S)
        if self._end is None:
            self._end = self._ended()
        if isinstance(self._end, FederationError):
            raise self._end
        return self._end

    def stop(self) -> None:
        """End the process and all that it started; the run's folder says that it was stopped.

        Once more, or after its own end, does no harm.
        """
        if self._stopped:
            return
        self._process.stop()
        self._end = self._end or self._ended()
        self._stopped = True
        self._scratch.cleanup()

    @property
    def _folder(self) -> Path:
        return Path(self._scratch.name)

    def _progress(self, *, running: bool) -> RunProgress | None:
        if self.folder is None:
            return None
        progress = read_progress(self.folder)
        if progress.status == RUNNING and not running:
            return replace(progress, status=FAILED, reason=GONE)
        return progress

    def _ended(self) -> RunProgress | FederationError:
        progress = self._progress(running=False)
        if progress is not None:
            return progress
        log = (self._folder / _LOG).read_text(encoding="utf-8", errors="replace")
        said = f"the simulation ended before its run began; its log ends:\n{log[-_LOG_END:]}"
        return FederationError(self._said(ERROR) or said)

    def _said(self, name: str) -> str:
        path = self._folder / name
        return path.read_text(encoding="utf-8") if path.is_file() else ""
