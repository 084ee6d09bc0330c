"""The process beside a job, with a made-up SLURM: how a run ends however its job does."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from glean.operations.running import detached_run, slurm_follower
from glean.operations.running.detached_run import (
    ERROR,
    RUN_ID,
    ProcessState,
    claim,
    log_of,
    read_detached,
    stop_detached,
)
from glean.operations.running.run_request import RunRequest
from glean.operations.slurm.slurm_job import STOP, SlurmJob, read_job
from glean.runs.index import read_run
from glean.runs.process_tree import this_process
from tests import fake_slurm, processes
from tests.fake_slurm import NUMBER, FakeSlurm, write_run

RUN = 77
ELSEWHERE = {"host": "n2", "pid": 1, "began": 1.0}
GONE = this_process() | {"began": 1.0}


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    """A made-up SLURM that is asked without a pause."""
    for name in ("LOOK_EVERY_S", "LOOK_WHILE_STOPPING_S", "_POLL_S"):
        monkeypatch.setattr(slurm_follower, name, 0.02)
    monkeypatch.setattr(slurm_follower, "SHARED_FILES_S", 0.5)
    found = FakeSlurm(tmp_path / "slurm", tmp_path / "home")
    found.use(monkeypatch)
    return found


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """Folder of a request for a job of two nodes."""
    folder = tmp_path / "results" / ".service" / "requests" / "r1"
    results = str(tmp_path / "results")
    RunRequest(engine="slurm", results=results, job={"nodes": 2}).write(folder)
    return folder


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Folder of the run folders."""
    return tmp_path / "results"


@contextmanager
def following(asked: Path, *, job: int = NUMBER) -> Iterator[list[int]]:
    """Follow in a thread, from when there is a job; the list has the exit code in the end."""
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(slurm_follower.main(asked)))
    thread.start()
    wait_for(lambda: (found := read_job(asked)) is not None and found.number == job, "its job")
    yield codes
    thread.join(timeout=20)
    assert not thread.is_alive()


def wait_for(condition: Callable[[], bool], what: str) -> None:
    processes.wait_until(condition, what, limit_s=20)


def stands(asked: Path, state: str) -> None:
    """Wait until that is known of its job."""
    wait_for(lambda: (found := read_job(asked)) is not None and found.state == state, state)


def ran(asked: Path, results: Path, **facts: object) -> Path:
    """What a job leaves that ran the request."""
    (asked / RUN_ID).write_text(str(RUN))
    return write_run(results, RUN, **facts)


def error_of(asked: Path) -> str:
    return read_detached(asked).error


def test_a_job_is_followed_to_its_good_end(asked: Path, results: Path, cluster: FakeSlurm) -> None:
    """It runs the request, and beside it stands how it is."""
    with following(asked) as codes:
        pending = SlurmJob(NUMBER, str(cluster.log), "PENDING", "Resources")
        wait_for(lambda: read_job(asked) == pending, "the first look")
        cluster.stands("RUNNING")
        stands(asked, "RUNNING")
        ran(asked, results, status="completed")
        cluster.stands("COMPLETED")
    assert (codes, error_of(asked)) == ([0], "")
    assert cluster.command == [
        sys.executable,
        "-m",
        "glean.operations.running.slurm_worker",
        str(asked),
    ]
    assert "#SBATCH --nodes=2\n" in cluster.script
    assert read_job(asked) == SlurmJob(NUMBER, str(cluster.log), "COMPLETED")


@pytest.mark.parametrize(
    ("state", "reason", "facts"),
    [
        ("TIMEOUT", "TimeLimit", {"status": "running", "process": ELSEWHERE}),
        ("CANCELLED", "None", {"status": "failed", "reason": "SLURM ended its job"}),
        ("NODE_FAIL", "NodeDown", {"status": "running", "process": GONE}),
        ("OUT_OF_MEMORY", "OutOfMemory", {"status": "running", "process": ELSEWHERE}),
    ],
)
def test_what_slurm_ended_has_slurm_s_word_and_the_log_s_last_lines(
    asked: Path,
    results: Path,
    cluster: FakeSlurm,
    state: str,
    reason: str,
    facts: dict[str, object],
) -> None:
    """In the run's folder too, whatever stood there."""
    with following(asked):
        run = ran(asked, results, **facts)
        cluster.log.write_text("".join(f"line {number}\n" for number in range(40)))
        cluster.stands(state, reason)
    ended = "" if reason == "None" else f" ({reason})"
    first, *lines = error_of(asked).splitlines()
    assert first == f"SLURM job 42: {state}{ended}; its log ends:"
    assert lines == [f"line {number}" for number in range(25, 40)]
    assert (read_run(run).status, read_run(run).reason) == ("failed", error_of(asked))


def test_a_run_that_completed_stays_completed(
    asked: Path, results: Path, cluster: FakeSlurm
) -> None:
    """Also where the job's time was up just then."""
    with following(asked) as codes:
        run = ran(asked, results, status="completed")
        cluster.stands("TIMEOUT")
    assert (codes, error_of(asked), read_run(run).status) == ([0], "", "completed")


def test_a_run_s_own_reason_stands(asked: Path, results: Path, cluster: FakeSlurm) -> None:
    """The job then failed since the run did."""
    with following(asked):
        run = ran(asked, results, status="failed", reason="too few bakeries")
        cluster.stands("FAILED", "NonZeroExitCode")
    assert (error_of(asked), read_run(run).reason) == ("", "too few bakeries")


def test_what_kept_the_request_from_running_stands(asked: Path, cluster: FakeSlurm) -> None:
    """As the job's own process wrote it."""
    with following(asked):
        (asked / ERROR).write_text("sales: found no file")
        cluster.stands("FAILED", "NonZeroExitCode")
    assert error_of(asked) == "sales: found no file"


def test_a_batch_script_that_fails_is_told_by_its_log(asked: Path, cluster: FakeSlurm) -> None:
    """Or by its lack; at once."""
    with following(asked):
        cluster.stands("FAILED", "NonZeroExitCode")
    assert error_of(asked) == f"SLURM job 42: FAILED (NonZeroExitCode); it has no log {cluster.log}"


def test_a_job_that_completed_without_a_word_has_failed(asked: Path, cluster: FakeSlurm) -> None:
    """After the time that files of another machine may take."""
    with following(asked):
        cluster.stands("COMPLETED")
    assert error_of(asked).startswith("SLURM job 42: COMPLETED")


def test_no_answer_is_no_end(
    asked: Path, cluster: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said, and forgotten once SLURM answers."""
    monkeypatch.setattr(slurm_follower, "SILENCE_S", 0.2)
    with following(asked) as codes:
        cluster.stands("RUNNING")
        stands(asked, "RUNNING")
        cluster.fails(fake_slurm.UNREACHABLE)

        def told() -> bool:
            found = read_job(asked)
            return found is not None and "SLURM doesn't answer: squeue: error" in found.reason

        wait_for(told, "the silence")
        found = read_job(asked)
        assert found is not None
        assert (found.state, codes) == ("RUNNING", [])
        cluster.stands("RUNNING")
        wait_for(lambda: not told(), "the answer")
        cluster.stands("CANCELLED")


def test_a_job_that_slurm_has_forgotten_has_ended(
    asked: Path, results: Path, cluster: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at the first such answer."""
    with following(asked) as codes:
        run = ran(asked, results, status="running", process=ELSEWHERE)
        cluster.fails(fake_slurm.FORGOTTEN)
        called = len(cluster.calls("squeue"))
        wait_for(lambda: len(cluster.calls("squeue")) > called + 1, "two looks")
        assert codes == []
        monkeypatch.setattr(slurm_follower, "SILENCE_S", 0.0)
    assert "SLURM knows nothing of it any more" in error_of(asked)
    assert read_run(run).status == "failed"


def test_a_refusal_is_told(asked: Path, cluster: FakeSlurm) -> None:
    """In SLURM's words; there is no job."""
    cluster.refuses("sbatch: error: invalid partition specified: x")
    assert slurm_follower.main(asked) == 1
    assert "invalid partition" in error_of(asked)
    assert read_job(asked) is None


def test_stopping_cancels_the_job(asked: Path, results: Path, cluster: FakeSlurm) -> None:
    """And says so in the run's folder; whoever asked for it waits until that is done."""
    with following(asked):
        run = ran(asked, results, status="running", process=ELSEWHERE)
        stop_detached(asked)
        assert error_of(asked) == "interrupted"
    assert cluster.calls("scancel") == [str(NUMBER)]
    assert read_run(run).reason == "interrupted"


def test_stopping_is_tried_again_until_slurm_answers(
    asked: Path, cluster: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Meanwhile the run goes on."""
    monkeypatch.setattr(detached_run, "STOP_S", 0.2)
    with following(asked) as codes:
        cluster.fails(fake_slurm.UNREACHABLE, command="scancel")
        stop_detached(asked)
        assert (codes, error_of(asked)) == ([], "")
        cluster.fails("", command="scancel")
    assert error_of(asked) == "interrupted"


def test_what_has_yet_to_be_submitted_never_is(asked: Path, cluster: FakeSlurm) -> None:
    """Once it was stopped."""
    stop_detached(asked)
    assert slurm_follower.main(asked) == 0
    assert (read_job(asked), error_of(asked)) == (None, "interrupted")
    assert not (cluster.folder / "sbatch.script").exists()


def test_another_process_follows_where_one_was_killed(asked: Path, cluster: FakeSlurm) -> None:
    """The job is the same; while one follows it, no other does."""
    claim(asked, GONE)
    SlurmJob(NUMBER, str(cluster.log), "RUNNING").write(asked)
    found = read_detached(asked)
    assert (found.state, found.waits_for_a_process) == (ProcessState.ENDED, True)
    with following(asked):
        wait_for(lambda: read_detached(asked).state is ProcessState.RUNNING, "a process")
        assert not read_detached(asked).waits_for_a_process
        assert slurm_follower.main(asked) == 0
        (asked / STOP).touch()
    assert error_of(asked) == "interrupted"
    assert not (cluster.folder / "sbatch.script").exists()


def test_killed_while_it_submitted_nobody_follows(asked: Path) -> None:
    """The job, if there is one, ends by itself: nobody knows its number."""
    claim(asked, GONE)
    assert not read_detached(asked).waits_for_a_process


def test_a_slip_of_ours_ends_it_with_a_word(
    asked: Path, cluster: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or else it would be begun again and again."""
    SlurmJob(NUMBER, str(cluster.log)).write(asked)
    claim(asked, GONE)
    monkeypatch.setattr(slurm_follower, "job_state", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        slurm_follower.main(asked)
    assert not read_detached(asked).waits_for_a_process


def test_the_log_is_the_job_s(asked: Path, cluster: FakeSlurm) -> None:
    """After what its own process printed; the end counts."""
    (asked / "log").write_text("submitted\n")
    SlurmJob(NUMBER, str(cluster.log)).write(asked)
    assert log_of(asked, most_bytes=100) == "submitted\n"
    cluster.log.parent.mkdir()
    cluster.log.write_text("Ray: 1 node(s)\n")
    assert log_of(asked, most_bytes=100) == "submitted\nRay: 1 node(s)\n"
    assert log_of(asked, most_bytes=5) == "e(s)\n"


def test_a_damaged_file_is_no_job(asked: Path) -> None:
    """Nor is one of another version."""
    for text in ("{", "[]", '{"number": 1}', '{"more": 1}'):
        (asked / "job.json").write_text(text)
        assert read_job(asked) is None
