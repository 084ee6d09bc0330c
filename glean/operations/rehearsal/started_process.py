"""A command as a process of a rehearsal: watched over, and ended with all it began."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from glean.federation.launch.watchdog import watch
from glean.runs.process_tree import end_tree, signals_held_back

_END_LINES = 5


class StartedProcess:
    """A command in a session of its own.

    It ends, with all that it started, when this process is killed.

    Parameters
    ----------
    name : str
        What messages call it.
    words : sequence of str
        The command.
    log : Path
        File that it prints into.
    environment : mapping of str to str
        Variables beside this process's own.
    goodbye : Signals
        By which it is asked to end.
    """

    def __init__(
        self,
        name: str,
        words: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str],
        goodbye: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = name
        self.log = log
        self._goodbye = goodbye
        # Ctrl-C in between would leave a process that nobody knows of.
        with log.open("wb") as out, signals_held_back():
            self._process = subprocess.Popen(  # noqa: S603 # nosec B603 # our own words
                list(words),
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._watcher = watch(self._process.pid)

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether it still does."""
        return self._process.poll() is None

    def printed(self) -> str:
        """Give all that it has printed."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def last_words(self) -> str:
        """Its last lines, for a message."""
        return "\n".join(self.printed().splitlines()[-_END_LINES:])

    def ask_to_end(self) -> None:
        """Ask it alone, and politely: it knows best how to end what it started."""
        if self.runs:
            self._process.send_signal(self._goodbye)

    def end(self) -> None:
        """End it and all that it started; once more does no harm."""
        with signals_held_back():
            if self.runs:
                self.ask_to_end()
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(END_S)
            with suppress(psutil.NoSuchProcess):
                end_tree(psutil.Process(self._process.pid))
            self._process.wait()
            self._watcher.communicate()


END_S = 15.0
"""How long it may take to end by itself."""
