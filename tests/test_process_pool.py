"""Work shared out among processes: the same results, errors by name, and nothing left over."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from glean.errors import GleanError, SettingsError
from glean.process_pool import Job, shared_out, workers_of
from tests.processes import REPOSITORY

WAITS = """
import sys, time
from pathlib import Path
from glean.process_pool import Job, shared_out
from tests.test_process_pool import note_and_wait

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    jobs = [Job(str(k), note_and_wait, (folder,)) for k in range(2)]
    list(shared_out(jobs, workers=2))
"""


def square(number: int) -> int:
    return number * number


def process_of(_number: int) -> int:
    return os.getpid()


def refuse(number: int) -> int:
    raise SettingsError(f"found {number}")


def slip(number: int) -> float:
    return number / 0


def vanish(_number: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def note_and_wait(folder: Path) -> None:
    (folder / str(os.getpid())).touch()
    time.sleep(600)


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_every_job_is_done_once_and_told_by_its_place(workers: int) -> None:
    jobs = [Job(str(number), square, (number,)) for number in range(7)]
    found = list(shared_out(jobs, workers=workers))
    assert sorted(found) == [(number, number * number) for number in range(7)]


def test_one_worker_is_this_process_and_two_are_others() -> None:
    jobs = [Job(str(number), process_of, (number,)) for number in range(4)]
    assert {found for _, found in shared_out(jobs, workers=1)} == {os.getpid()}
    assert os.getpid() not in {found for _, found in shared_out(jobs, workers=2)}


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_is_told_with_the_name(workers: int) -> None:
    """One that a user can mend in its own words, another with its traceback."""
    jobs = [Job("Hansen", refuse, (3,)), Job("Petersen", square, (2,))]
    with pytest.raises(GleanError, match=r"^Hansen: found 3$"):
        list(shared_out(jobs, workers=workers))
    slips = [Job("Hansen", slip, (3,)), Job("Petersen", slip, (2,))]
    with pytest.raises(RuntimeError, match=r"(?s)^(Hansen|Petersen): Traceback.*ZeroDivisionError"):
        list(shared_out(slips, workers=workers))
    assert multiprocessing.active_children() == []


def test_a_process_that_is_ended_from_outside_is_told() -> None:
    jobs = [Job("Hansen", vanish, (1,)), Job("Hansen", vanish, (1,))]
    with pytest.raises(GleanError, match=r"^Hansen: .*ended from outside.*--workers"):
        list(shared_out(jobs, workers=2))


def test_nobody_stays_behind_who_stops_listening() -> None:
    jobs = [Job(str(number), square, (number,)) for number in range(50)]
    for _ in shared_out(jobs, workers=2):
        break
    assert multiprocessing.active_children() == []


@pytest.mark.usefixtures("ctrl_c_heard")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_a_command(number: signal.Signals, tmp_path: Path) -> None:
    """Neither after Ctrl-C, nor where the command itself is killed."""
    program = tmp_path / "program.py"
    program.write_text(WAITS, encoding="utf-8")
    folder = tmp_path / "pids"
    folder.mkdir()
    command = subprocess.Popen(
        [sys.executable, str(program), str(folder)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    workers: list[psutil.Process] = []
    until = time.monotonic() + 60
    while len(workers) < 2:
        assert time.monotonic() < until, "no process began"
        time.sleep(0.05)
        workers = [psutil.Process(int(path.name)) for path in folder.iterdir()]
    if number == signal.SIGINT:
        os.killpg(command.pid, number)  # as a terminal does
    else:
        command.send_signal(number)
    command.wait(30)
    gone, alive = psutil.wait_procs(workers, timeout=30)
    assert (len(gone), alive) == (2, [])


WARM = """
import multiprocessing, sys, time
from glean.process_pool import Job, shared_out, warm_up, warm_workers
from tests.test_process_pool import imported

if __name__ == "__main__":
    assert warm_workers({"GLEAN_WORKERS": "2"}) == 1
    warm_up(("fractions", "a.module.that.is.not.there"))
    assert warm_workers({"GLEAN_WORKERS": "2"}) == 2
    jobs = [Job(str(k), imported, ("fractions",)) for k in range(4)]
    assert "fractions" not in sys.modules
    assert {found for _, found in shared_out(jobs, workers=2)} == {True}
"""


def imported(name: str) -> bool:
    return name in sys.modules


@pytest.mark.usefixtures("nothing_left")
def test_processes_find_what_was_imported_before_they_began(tmp_path: Path) -> None:
    """And the process that forks them ends with the command."""
    program = tmp_path / "program.py"
    program.write_text(WARM, encoding="utf-8")
    subprocess.run(
        [sys.executable, str(program)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        check=True,
    )


@pytest.mark.parametrize("text", ["0", "-1", "two", ""])
def test_a_number_of_workers_that_can_not_be(text: str) -> None:
    with pytest.raises(SettingsError, match="GLEAN_WORKERS: found"):
        workers_of({"GLEAN_WORKERS": text})


def test_unless_it_is_said_the_work_stays_in_one_process() -> None:
    assert workers_of({}) == 1
    assert workers_of({"GLEAN_WORKERS": "3"}) == 3
