"""Where a rehearsal takes place: a temporary folder, and the processes that were started in it."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from glean.errors import FederationError
from glean.federation_folder import federation_folder
from glean.operations.rehearsal.rehearsal_steps import TAKEN_DOWN, RehearsalStep
from glean.operations.rehearsal.started_process import StartedProcess
from glean.runs.process_tree import signals_held_back

Tell = Callable[[RehearsalStep], None]

MARK = "GLEAN_REHEARSAL"
"""Environment variable of all that a rehearsal starts, directly or not: its folder."""

ELSEWHERE = (
    "GLEAN_DATABASE",
    "GLEAN_BROKER",
    "GLEAN_STORAGE",
    "GLEAN_WEBHOOKS",
    "MLFLOW_TRACKING_URI",
    "GLEAN_LOG_FORMAT",
)
"""Environment variables by which commands use an operator's own parts, and speak to machines.

A service of a scene would take runs that its folder lacks out of that operator's list.
"""

_SWEEP_S = 10.0


class Scene:
    """The folder and its processes.

    Parameters
    ----------
    folder : Path
        Of its own.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[StartedProcess] = []

    def start(
        self, name: str, words: Sequence[str], *, environment: Mapping[str, str] | None = None
    ) -> StartedProcess:
        """Start a command of Glean's, to be ended with the scene."""
        return self.start_program(
            name, [sys.executable, "-m", "glean", *words], environment=environment
        )

    def start_program(
        self,
        name: str,
        words: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        goodbye: signal.Signals = signal.SIGTERM,
    ) -> StartedProcess:
        """Start any program, to be ended with the scene.

        Parameters
        ----------
        name : str
            What messages call it.
        words : sequence of str
            The command.
        environment : mapping of str to str, optional
            Variables beside those of the scene.
        goodbye : Signals
            By which it is asked to end.
        """
        # Ctrl-C in between would leave a process that nobody knows of.
        with signals_held_back():
            log = self.folder / f"{name.replace(' ', '-')}.log"
            variables = {**_environment(self.folder), **(environment or {})}
            found = StartedProcess(name, words, log=log, environment=variables, goodbye=goodbye)
            self.processes.append(found)
        return found

    def check(self) -> None:
        """Refuse to go on without one of them.

        Raises
        ------
        FederationError
            One has ended; says which, and what it printed last.
        """
        for process in self.processes:
            if not process.runs:
                raise FederationError(
                    f"{process.name} ended by itself; it printed:\n{process.last_words()}"
                )

    def end(self) -> None:
        """End all of them: asked at once, so that none waits for the next one's end."""
        for process in reversed(self.processes):
            process.ask_to_end()
        for process in reversed(self.processes):
            process.end()
        self.sweep()

    def sweep(self) -> None:
        """End what lives on by itself, as a run's own process does when its service ends."""
        left = [process for process in psutil.process_iter() if self._is_mine(process)]
        for ask in (psutil.Process.terminate, psutil.Process.kill):
            for process in left:
                with suppress(psutil.NoSuchProcess):
                    ask(process)
            _, left = psutil.wait_procs(left, _SWEEP_S)

    def _is_mine(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(MARK) == str(self.folder)
        except (psutil.Error, OSError):  # of another user, or gone meanwhile
            return False


@contextmanager
def scene_for(tell: Tell) -> Iterator[Scene]:
    """Give a scene, and take all of it down at the end of the body, however that ends.

    Parameters
    ----------
    tell : callable
        Told when all is down.
    """
    with signals_held_back():
        scene = Scene(Path(tempfile.mkdtemp(prefix="glean-rehearsal-")))
    try:
        yield scene
    finally:
        # A second Ctrl-C waits until nothing is left.
        with signals_held_back():
            scene.end()
            shutil.rmtree(scene.folder, ignore_errors=True)
            tell(RehearsalStep(TAKEN_DOWN))


def _environment(folder: Path) -> dict[str, str]:
    """Have all that is kept kept in the folder, but what is compiled for all."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return {
        **dict.fromkeys(ELSEWHERE, ""),
        "HOME": str(home),
        "FLWR_HOME": str(federation_folder(folder / "results").flower_home),
        "XDG_CACHE_HOME": cache,
        MARK: str(folder),
        "OMP_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
    }
