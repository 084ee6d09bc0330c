"""A joined bakery's two processes, its node and its page, started again whenever they end."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from glean.errors import FederationError, SettingsError
from glean.federation.launch.watchdog import watch
from glean.operations.joining.joined_home import JoinedHome
from glean.runs.process_tree import end_tree, signals_held_back, still_runs, this_process

SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
STEADY_S = 60.0
"""A process that lasted so long was well: after its end the pauses begin anew."""

END_LIMIT_S = 30.0
POLL_S = 0.25
_LOCK = ".join.lock"
_MOST_LOG_BYTES = 10 * 2**20


@dataclass
class Supervised:
    """A process that is to be there.

    Parameters
    ----------
    name : str
        What messages call it.
    command : sequence of str
        What to start.
    log : Path
        Where what it prints is kept.
    clock : callable
        The time, s.
    reads : Path, optional
        A file that it reads at its start: once that is another one it is started again.
    """

    name: str
    command: Sequence[str]
    log: Path
    clock: Callable[[], float] = time.monotonic
    reads: Path | None = None
    process: subprocess.Popen[bytes] | None = None
    _watcher: subprocess.Popen[bytes] | None = None
    _began: float = 0.0
    _read: tuple[int, int] | None = None
    _again_at: float = float("-inf")
    _pause_s: float = SHORTEST_PAUSE_S

    def look(self) -> str:
        """Start it where it isn't there and it is time; what happened, "" for nothing."""
        if self.process is not None:
            code = self.process.poll()
            if code is not None:
                return self._ended(code)
            if self.reads is None or _stamp(self.reads) in (self._read, None):
                return ""
            self.end()
            self._start()
            return f"{self.name} was started again, as {self.reads.name} was changed"
        if self.clock() < self._again_at:
            return ""
        self._start()
        return ""

    def end(self) -> None:
        """End it."""
        if self.process is not None:
            with suppress(psutil.NoSuchProcess):
                end_tree(psutil.Process(self.process.pid))
            self.process.wait()
            self.process = None
        if self._watcher is not None:
            self._watcher.communicate()
            self._watcher = None

    def _start(self) -> None:
        _turn_over(self.log)
        self._read = None if self.reads is None else _stamp(self.reads)
        with self.log.open("ab") as output, signals_held_back():
            self.process = subprocess.Popen(  # noqa: S603 # nosec B603 # our own words
                list(self.command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._watcher = watch(self.process.pid)
        self._began = self.clock()

    def _ended(self, code: int) -> str:
        if self.clock() - self._began >= STEADY_S:
            self._pause_s = SHORTEST_PAUSE_S
        self.process = None
        self.end()
        self._again_at = self.clock() + self._pause_s
        said = f"{self.name} ended ({code}); started again in {self._pause_s:.0f} s"
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        last = last_line(self.log)
        return f"{said}: {last}" if last else said


class AtWorkError(FederationError):
    """Another process supervises this home."""


@contextmanager
def home_alone(home: JoinedHome, *, waits: Callable[[], None] | None = None) -> Iterator[None]:
    """Be the only one that supervises a home; a kill gives it free.

    Parameters
    ----------
    home : JoinedHome
        Which one.
    waits : callable, optional
        Called once where another one does, before its end is waited for; None doesn't wait.

    Raises
    ------
    AtWorkError
        Another one does.
    SettingsError
        The home can't be written.
    """
    try:
        descriptor = os.open(home.path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise SettingsError(f"{home.path} can't be used: {error.strerror or error}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waits is None:
                raise AtWorkError(f"{home.path}: `glean join` is at work there already") from None
            waits()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps(this_process()).encode())
        try:
            yield
        finally:
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def stop_supervisor(home: JoinedHome) -> bool:
    """End the process that supervises a home, and wait for that; whether there was one."""
    try:
        found = json.loads((home.path / _LOCK).read_bytes())
    except (OSError, ValueError):
        return False
    if not still_runs(found):
        return False
    process = psutil.Process(found["pid"])
    with suppress(psutil.NoSuchProcess):
        process.terminate()  # it ends its own children
        process.wait(END_LIMIT_S)
    return True


def supervise(
    children: Sequence[Supervised],
    *,
    tell: Callable[[str], None],
    each_look: Callable[[], None] = lambda: None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Keep processes going until a KeyboardInterrupt, then end them.

    Parameters
    ----------
    children : sequence of Supervised
        The processes.
    tell : callable
        Told what happens, in a sentence.
    each_look : callable
        Called several times a second.
    sleep : callable
        A pause of so many seconds.
    """
    with ExitStack() as stack:
        for child in children:
            stack.callback(child.end)
        while True:
            for child in children:
                said = child.look()
                if said:
                    tell(said)
            each_look()
            sleep(POLL_S)


def last_line(log: Path) -> str:
    """Give the last line that a process printed; "" where there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 2000))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _stamp(path: Path) -> tuple[int, int] | None:
    """Tell one version of a file from another; None where there is none just now."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


def _turn_over(log: Path) -> None:
    """Keep a log from growing for ever: one earlier part is kept."""
    if log.exists() and log.stat().st_size > _MOST_LOG_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))
