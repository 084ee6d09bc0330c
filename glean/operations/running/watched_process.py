"""A process of our own that ends with this one, however this one ends."""

from __future__ import annotations

import time
from pathlib import Path

import psutil

from glean.federation.launch.watchdog import watch
from glean.operations.worker_process import start_worker
from glean.runs.process_tree import end_tree, runs, signals_held_back

POLL_S = 0.1

STOP_S = 15.0
"""How long a run that shall stop may take to say so in its folder and to end what it started."""


class WatchedProcess:
    """A process `python -m MODULE FOLDER`, started at once, the leader of a session of its own.

    Call `stop` also after it has ended by itself: that frees what it held.

    Parameters
    ----------
    module : str
        Dotted name of a module of Glean's.
    folder : Path
        What it works on.
    log : Path
        File that it prints into.

    Raises
    ------
    OSError
        The log can't be written, or there is no process to be had.
    """

    def __init__(self, module: str, folder: Path, log: Path) -> None:
        with signals_held_back():
            self._process = start_worker(module, folder, log)
            self._root = psutil.Process(self._process.pid)
            try:
                self._watcher = watch(self._process.pid)
            except OSError:
                end_tree(self._root)  # nobody would end it with this one, and nobody knows of it
                self._process.wait()
                raise

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def running(self) -> bool:
        """Whether it still runs."""
        # Not `poll`, which would reap it: its session can be swept as long as it is known.
        return self._process.returncode is None and runs(self._root)

    @property
    def killed(self) -> bool:
        """Whether it was ended by a signal, after `stop`."""
        code = self._process.returncode
        return code is not None and code < 0

    def stop(self, *, patience_s: float = STOP_S) -> None:
        """End it and all that it started, politely first; once more does no harm.

        Parameters
        ----------
        patience_s : float
            How long it may take to say how it ended.
        """
        if self._process.returncode is not None:
            return
        if self.running():
            # Alone, and not with what it started: then it can say in its folder how it ended.
            self._process.terminate()
            deadline = time.monotonic() + patience_s
            while self.running() and time.monotonic() < deadline:
                time.sleep(POLL_S)
        end_tree(self._root)
        self._process.wait()
        self._watcher.communicate()
