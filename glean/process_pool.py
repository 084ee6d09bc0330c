"""Work on many bakeries, shared out among processes of this machine.

In come jobs, each with the name that an error is told with; out go results, as they are done,
the same at any number of processes. How many a command may use is a trait of the machine and not of
the run: an environment variable says it, which the processes that a command starts inherit.

Processes are forked from one that has a single thread and does nothing else (a fork server), where
the system has that: what they all import is imported there once, and beside other work.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from glean.errors import GleanError, SettingsError

Result = TypeVar("Result")

WORKERS = "GLEAN_WORKERS"
"""Environment variable: how many processes share work out; 1, or unset, works in this one."""


@dataclass(frozen=True)
class Job(Generic[Result]):
    """A piece of the work.

    Parameters
    ----------
    name : str
        Whose it is, for an error.
    work : callable
        Of a module, not of a body: it is found by its name in another process.
    arguments : tuple
        Values that pickle carries; likewise what is returned.
    """

    name: str
    work: Callable[..., Result]
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class _Failure:
    """An error on its way out of a process: pickle can't carry every exception."""

    kind: type[Exception]
    said: str


def cores() -> int:
    """Count the processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def warm_up(modules: Sequence[str]) -> None:
    """Import modules for the processes to come, in a process beside this one; returns at once.

    Parameters
    ----------
    modules : sequence of str
        Names. One that can't be imported is left out.
    """
    if _FORK_SERVER not in multiprocessing.get_all_start_methods():
        return
    from multiprocessing import forkserver

    forkserver.set_forkserver_preload(list(modules))
    forkserver.ensure_running()
    _WARM.append(True)


def warm_workers(environ: Mapping[str, str]) -> int:
    """Read how many processes may share work out that isn't worth starting cold ones for."""
    return workers_of(environ) if _WARM else 1


_FORK_SERVER = "forkserver"
_WARM: list[bool] = []


def workers_of(environ: Mapping[str, str]) -> int:
    """Read how many processes may share work out.

    Raises
    ------
    SettingsError
        The variable holds no whole number from 1 on.
    """
    text = environ.get(WORKERS, "1")
    if not text.isdecimal() or int(text) < 1:
        raise SettingsError(f"{WORKERS}: found {text!r}; wanted a whole number from 1 on")
    return int(text)


def shared_out(jobs: Sequence[Job[Result]], *, workers: int) -> Iterator[tuple[int, Result]]:
    """Do jobs, the first ones first, so put those that take long in front.

    Parameters
    ----------
    jobs : sequence of Job
        The work.
    workers : int
        How many processes at most; 1 works in this one.

    Yields
    ------
    tuple of int and result
        Place of the job among `jobs`, and what it returned; in the order in which they are done.

    Raises
    ------
    GleanError
        As a job raised it, its name before the words; or a process was ended from outside.
    RuntimeError
        A job raised another exception, whose traceback is in it.
    """
    workers = min(workers, len(jobs))
    if workers < 2:
        for place, job in enumerate(jobs):
            yield place, _result(job.name, _guarded(job.work, job.arguments))
        return
    yield from _by_processes(jobs, workers)


def _by_processes(jobs: Sequence[Job[Result]], workers: int) -> Iterator[tuple[int, Result]]:
    before = set(multiprocessing.active_children())
    # Not forked from this one, whose threads hold locks.
    there = multiprocessing.get_all_start_methods()
    pool = ProcessPoolExecutor(
        workers,
        multiprocessing.get_context(_FORK_SERVER if _FORK_SERVER in there else "spawn"),
        initializer=_begin,
        initargs=(gc.get_threshold(),),
    )
    try:
        waiting = {
            pool.submit(_guarded, job.work, job.arguments): place for place, job in enumerate(jobs)
        }
        while waiting:
            for done in wait(waiting, return_when=FIRST_COMPLETED).done:
                place = waiting.pop(done)
                yield place, _result(jobs[place].name, _outcome(done))
    except BaseException:
        # Nobody waits for what is still at work; after Ctrl-C nothing stays behind.
        for process in set(multiprocessing.active_children()) - before:
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _outcome(done: Future[Any]) -> Any:
    try:
        return done.result()
    except BrokenProcessPool:
        return _Failure(
            GleanError,
            "a process that shared the work was ended from outside, maybe for a lack of memory; "
            f"try again with fewer (--workers, {WORKERS})",
        )


def _result(name: str, found: Any) -> Any:
    if isinstance(found, _Failure):
        raise found.kind(f"{name}: {found.said}")
    return found


def _guarded(work: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    try:
        return work(*arguments)
    except GleanError as error:
        return _Failure(GleanError, str(error))
    except Exception:  # noqa: BLE001 - raised again where it is wanted, with its traceback
        return _Failure(RuntimeError, traceback.format_exc())


def _begin(garbage_threshold: tuple[int, int, int]) -> None:
    """Be as the process that shares out is, leave Ctrl-C to it, and end with it."""
    gc.set_threshold(*garbage_threshold)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_the_parent()


def end_with_the_parent() -> None:
    """Have this process end when its parent is killed: it would wait for work for good."""
    threading.Thread(target=_wait_and_end, daemon=True).start()


def _wait_and_end() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "called in a worker"
    parent.join()
    signal.raise_signal(signal.SIGTERM)
