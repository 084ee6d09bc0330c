"""A process that we started and all that came of it, ended whatever happens.

Flower's and Ray's daemons lose their parents and stay behind when one of them is killed; each
session that our process opened is therefore remembered and swept.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import psutil

GRACE_S = 1.0
"""After a run nothing is left to save, and Ray, asked politely, takes five seconds to go."""

KILL_S = 10.0
_POLL_S = 0.05
_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


def this_process() -> dict[str, str | int | float]:
    """Describe this process so that it can be found again: machine, number and begin."""
    own = psutil.Process()
    return {"host": socket.gethostname(), "pid": own.pid, "began": own.create_time()}


def still_runs(described: Any) -> bool:
    """Whether a process that `this_process` described runs on this machine."""
    try:
        process = psutil.Process(described["pid"])
        same = abs(process.create_time() - described["began"]) < 1
        return described["host"] == socket.gethostname() and same and runs(process)
    except (psutil.Error, KeyError, TypeError, ValueError):
        return False


def runs(process: psutil.Process) -> bool:
    """Whether it still does something: a zombie waits for a parent that may never ask."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def end_tree(root: psutil.Process) -> None:
    """End a process that leads a session of its own, and all it started: politely, then by force.

    Ctrl-C waits until that is done. A process that is gone and reaped had its end already.
    """
    if not root.is_running():
        return
    sessions = {root.pid}
    with signals_held_back():
        for ask, patience_s in ((psutil.Process.terminate, GRACE_S), (psutil.Process.kill, KILL_S)):
            tree = _family(root, sessions)
            for process in tree:
                try:
                    ask(process)
                except psutil.NoSuchProcess:
                    continue
            _wait_for_the_end(tree, patience_s)


@contextmanager
def signals_held_back() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait for the end of the body: halfway, a process would be orphaned."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []

    # Not SIG_IGN and no mask: a process started in the body would inherit either.
    def hold(number: int, _frame: FrameType | None) -> None:
        held.append(number)

    before = {number: signal.signal(number, hold) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        for number in held[:1]:
            signal.raise_signal(number)


def _family(root: psutil.Process, sessions: set[int]) -> list[psutil.Process]:
    """Find what descends from `root` or lives in a session that a descendant opened."""
    try:
        family = {p.pid: p for p in [root, *root.children(recursive=True)] if p.is_running()}
    except psutil.NoSuchProcess:
        family = {}
    if not hasattr(os, "getsid"):
        return list(family.values())
    sessions |= {pid for pid in family if _session(pid) == pid}
    for process in psutil.process_iter():
        if process.pid not in family and _session(process.pid) in sessions:
            family[process.pid] = process
    return list(family.values())


def _wait_for_the_end(processes: list[psutil.Process], patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline and any(runs(process) for process in processes):
        time.sleep(_POLL_S)


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None
