"""The worker beside the service: what it returns, raises, and that it goes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from unittest import mock

import psutil
import pytest

from glean.errors import GleanError, Problem, SalesError, SettingsError
from glean.operations import worker_pool
from glean.operations.worker_pool import WorkerPool
from tests import processes

pytestmark = pytest.mark.slow


@pytest.fixture
def workers() -> Iterator[WorkerPool]:
    found = WorkerPool()
    yield found
    found.close()


def own_pid() -> int:
    return os.getpid()


def refuse(error: GleanError) -> None:
    raise error


def refuse_table(source: str) -> None:
    raise SalesError([Problem(source, 2, "units", "'x'", "a number")])


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_work_is_done_in_another_process(workers: WorkerPool) -> None:
    """One, which is used again."""
    first, second = workers.run(own_pid), workers.run(own_pid)
    assert first == second != os.getpid()


def test_errors_come_out_as_they_were_raised(workers: WorkerPool) -> None:
    """Those of a table with every problem."""
    with pytest.raises(SettingsError, match="max-depth"):
        workers.run(refuse, SettingsError("max-depth: found 0"))
    with pytest.raises(SalesError) as caught:
        workers.run(refuse_table, "a.csv")
    assert str(caught.value.problems[0]).startswith("a.csv, line 2, column 'units'")


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX's")
def test_a_worker_that_is_killed_costs_its_work_only(workers: WorkerPool) -> None:
    """As the system kills what takes all memory; the next work has a new one."""
    with pytest.raises(GleanError, match="ended at once"):
        workers.run(die)
    assert workers.run(own_pid) != os.getpid()


def test_without_work_it_goes_and_closed_it_takes_none(workers: WorkerPool) -> None:
    """So that a service without work is small."""
    with mock.patch.object(worker_pool, "IDLE_S", 0.1):
        pid = workers.run(own_pid)
    processes.wait_until(lambda: not psutil.pid_exists(pid), "the worker goes", limit_s=30)
    workers.close()
    with pytest.raises(GleanError, match="the service ends"):
        workers.run(own_pid)
