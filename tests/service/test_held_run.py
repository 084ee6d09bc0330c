"""A run that a worker holds, with a process that only seems to be one: all of its ends."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from glean.errors import FederationError, GleanError
from glean.operations.running.detached_run import ERROR, RUN_ID
from glean.operations.running.run_request import RunRequest
from glean.runs.folder import INTERRUPTED
from glean.service.runs import claims
from glean.service.runs import queue as queue_module
from glean.service.runs.event_collection import EventCollector
from glean.service.runs.event_outbox import EventOutbox
from glean.service.runs.leases import MOST_ATTEMPTS, Lease, Leases
from glean.service.runs.queue import RunQueue
from glean.service.runs.status import RunStatus
from glean.service.services import Services, open_services
from glean.service.settings import ServiceSettings
from glean.service.store.service_facts import ServiceFacts
from glean.service.store.tables import RunRow
from glean.service.worker import held_run
from glean.service.worker.held_run import HeldRun
from glean.service.worker.lease_keeper import LeaseKeeper
from glean.service.worker.opening import run_worker
from glean.service.worker.requested_run import request_of
from glean.service.worker.run_exchange import RunExchange, SharedResults
from glean.service.worker.settings import WorkerSettings
from glean.settings import ConfigValue
from tests.processes import wait_until

Step = Callable[["FakeProcess"], None]


class FakeProcess:
    """What an attempt's process would do, step by step; without a step it goes on for good."""

    def __init__(self, folder: Path, before: Path | None, step: Step | None) -> None:
        self.folder, self.before = folder, before
        self.killed = False
        self.stopped = threading.Event()
        self._goes_on = step is None
        folder.mkdir(parents=True)
        if step is not None:
            step(self)

    def running(self) -> bool:
        return self._goes_on

    def stop(self, *, patience_s: float) -> None:
        assert patience_s >= 0
        self._goes_on = False
        self.stopped.set()


class Bench:
    """A service whose runs one worker takes, in this process."""

    def __init__(self, services: Services, template: Path) -> None:
        self.services = services
        self.template = template
        self.database = services.database
        self.results = services.settings.results
        self.processes: list[FakeProcess] = []
        self.end = threading.Event()
        self.run_id = services.queue.ask(RunRequest("inprocess", str(self.results)))[0].id

    def leave_run(self, attempt: FakeProcess, flower_id: int, **facts: Any) -> None:
        """Leave the folder of a run, as its process would."""
        folder = self.results / f"20260501T120000Z-{flower_id}"
        shutil.copytree(self.template, folder)
        path = folder / "run.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | facts))
        (attempt.folder / RUN_ID).write_text(str(flower_id))

    def work(
        self,
        step: Step | None = None,
        *,
        lease_s: float = 60,
        exchange: RunExchange | None = None,
    ) -> None:
        """Take the run and hold it until that ends."""
        settings = WorkerSettings("", self.results, name="w", lease_s=lease_s)
        leases = Leases(self.database, lease_s=lease_s)
        lease = leases.take("w")
        assert lease is not None

        def start(folder: Path, request: RunRequest, *, before: Path | None) -> FakeProcess:
            assert request.results == str(self.results)
            self.processes.append(FakeProcess(folder, before, step))
            return self.processes[-1]

        exchange = exchange or SharedResults(self.results)
        with mock.patch.object(held_run, "start_attempt", start):
            HeldRun(settings, self.database, leases, lease, exchange).run(self.end)

    def fall_silent(self, flower_id: int, **facts: Any) -> None:
        """Take the run and leave a folder, of which nothing in the database says a word."""

        def leave(process: FakeProcess) -> None:
            self.leave_run(process, flower_id, **facts)
            raise RuntimeError

        with pytest.raises(RuntimeError):
            self.work(leave)
        with self.database.transaction() as session:
            session.execute(sa.update(RunRow).values(lease_until="2026-01-01T00:00:00+00:00"))
        Leases(self.database).put_back_lapsed()

    def work_beside(self, **words: Any) -> threading.Thread:
        """Do the same in a thread, with a process that goes on."""
        thread = threading.Thread(target=self.work, kwargs=words)
        thread.start()
        wait_until(lambda: len(self.processes) > 0, "the process runs", limit_s=30)
        return thread

    def row(self) -> RunRow:
        return self.services.queue.find(self.run_id)

    def listed(self) -> list[str]:
        self.services.discovery.refresh()
        with self.database.transaction() as session:
            return list(session.scalars(sa.select(RunRow.id).order_by(RunRow.id)))


@pytest.fixture
def bench(tmp_path: Path, run_of_command_line: Path) -> Iterator[Bench]:
    found = open_services(ServiceSettings(results=tmp_path / "results", runs_at_once=0))
    yield Bench(found, run_of_command_line)
    found.workers.close()
    found.database.close()


def test_a_run_that_completes_is_told_with_all_its_events(bench: Bench) -> None:
    """And is listed once, by the id of its request; the service itself starts nothing."""
    ServiceFacts(bench.database).keep_events(yes=True)
    bench.services.queue.start_next()
    assert bench.row().status == RunStatus.QUEUED
    bench.work(lambda process: bench.leave_run(process, 71))
    row = bench.row()
    assert (row.status, row.worker, row.attempt, row.lease_until) == ("completed", "w", 1, "")
    assert (row.rounds_done, row.bakeries, row.flower_id) == (2, 3, "71")
    lines = (bench.results / row.folder / "events.jsonl").read_text().splitlines()
    kept = EventOutbox(bench.database).waiting()
    assert [json.loads(one.content) for one in kept] == [json.loads(line) for line in lines]
    assert [one.number for one in kept] == list(range(1, len(lines) + 1))
    assert bench.listed() == [bench.run_id]


def test_a_failure_of_the_run_s_own_is_one(bench: Bench) -> None:
    """With its reason, whether it had a folder by then or not."""

    def refuse(process: FakeProcess) -> None:
        (process.folder / ERROR).write_text("num-server-rounds: found 0")

    bench.work(refuse)
    row = bench.row()
    assert (row.status, row.reason) == ("failed", "num-server-rounds: found 0")
    assert row.ended_at
    assert not row.given_up


def test_a_process_that_is_killed_is_tried_again_then_given_up(bench: Bench) -> None:
    """Each attempt goes on with the folder of the one before; the list shows one run."""

    def die(flower_id: int, process: FakeProcess) -> None:
        bench.leave_run(process, flower_id, status="running", process={})
        process.killed = True

    for k in range(MOST_ATTEMPTS):
        assert bench.row().status == RunStatus.QUEUED
        bench.work(partial(die, 71 + k))
        assert bench.listed() == [bench.run_id]
    row = bench.row()
    assert (row.status, row.given_up, row.attempt) == ("failed", True, MOST_ATTEMPTS)
    assert row.reason.startswith("given up after 3 attempts: its process ended without a word")
    befores = [process.before and process.before.name[-2:] for process in bench.processes]
    assert befores == [None, "71", "72"]
    bench.services.queue.delete(row.id)
    assert list(bench.results.glob("2*")) == []
    assert bench.listed() == []


def test_a_worker_that_ends_hands_its_run_back(bench: Bench) -> None:
    """That isn't counted against the run, and what is known of its attempt stays known."""
    thread = bench.work_beside()
    bench.leave_run(bench.processes[0], 71, status="running", process={})
    bench.end.set()
    thread.join(30)
    row = bench.row()
    assert (row.status, row.worker, row.attempt, row.handed_back) == ("queued", "", 1, 1)
    assert row.earlier == ["71"]
    assert bench.processes[0].stopped.is_set()
    assert bench.listed() == [bench.run_id]
    assert bench.services.discovery.rebuild() == 1
    assert bench.row().earlier == ["71"]
    assert bench.services.queue.stop(bench.run_id).status == RunStatus.CANCELLED
    assert bench.listed() == [bench.run_id], "what it left is part of it still"
    assert bench.services.discovery.rebuild() == 1


class Tableless(SharedResults):
    """A store without the run's table."""

    def __init__(self, results: Path) -> None:
        super().__init__(results)
        self.asked = threading.Event()

    def bring(self, _: Mapping[str, ConfigValue], goes_on: Callable[[], bool]) -> None:
        self.asked.set()
        wait_until(lambda: not goes_on(), "it shall end", limit_s=30)


def test_a_worker_that_waits_for_a_table_hears_that_it_shall_end(bench: Bench) -> None:
    """And that its run shall: neither begins a process."""
    for _ in range(2):
        exchange = Tableless(bench.results)
        thread = threading.Thread(target=bench.work, kwargs={"exchange": exchange, "lease_s": 6})
        thread.start()
        assert exchange.asked.wait(30)
        if bench.row().attempt == 1:
            bench.end.set()
            thread.join(30)
            assert (bench.row().status, bench.row().handed_back) == ("queued", 1)
            bench.end.clear()
        else:
            row = bench.services.queue.stop(bench.run_id)
            thread.join(30)
            assert (row.status, row.reason) == ("failed", INTERRUPTED)
    assert bench.processes == []


def test_a_run_is_stopped_where_it_goes_on(bench: Bench) -> None:
    """By whoever asks the service, which answers once its worker has done it."""
    thread = bench.work_beside(lease_s=3)
    row = bench.services.queue.stop(bench.run_id)
    thread.join(30)
    assert (row.status, row.reason) == ("failed", INTERRUPTED)
    assert bench.processes[0].stopped.is_set()


def test_a_stop_counts_though_a_worker_takes_the_run_just_then(bench: Bench) -> None:
    """Between the look at how it stands and its being taken back."""
    leases, back = Leases(bench.database), claims.take_back
    taken: list[Lease | None] = []

    def too_late(*words: Any) -> bool:
        taken.append(leases.take("w"))
        return back(*words)

    with (
        mock.patch.object(queue_module, "take_back", too_late),
        mock.patch.object(queue_module, "_STOPPED_WITHIN_S", 0.1),
    ):
        row = bench.services.queue.stop(bench.run_id)
    assert (row.status, row.cancel_wanted, row.worker) == ("starting", True, "w")
    assert taken[0] is not None
    leases.hand_back(taken[0])
    assert (bench.row().status, bench.row().reason) == ("failed", INTERRUPTED)


def test_a_stop_counts_though_the_run_is_handed_back_just_then(bench: Bench) -> None:
    """It waits no more then."""
    leases, stop = Leases(bench.database), claims.want_stopped
    lease = leases.take("w")
    assert lease is not None

    def too_late(*words: Any) -> bool:
        leases.hand_back(lease)
        return stop(*words)

    with mock.patch.object(queue_module, "want_stopped", too_late):
        row = bench.services.queue.stop(bench.run_id)
    assert (row.status, row.worker) == ("cancelled", "")
    assert leases.take("w") is None


def test_without_the_database_a_run_is_stopped_before_its_lease_lapses(bench: Bench) -> None:
    """By this machine's clock alone; then the run waits again, for anybody."""
    gone = OperationalError("", None, Exception("connection refused"))
    lease_s = 3.0
    with (
        mock.patch.object(Leases, "renew", side_effect=gone),
        mock.patch.object(Leases, "look", side_effect=gone),
        mock.patch.object(Leases, "report", side_effect=gone),
    ):
        thread = bench.work_beside(lease_s=lease_s)
        assert bench.processes[0].stopped.wait(lease_s)
        thread.join(30)
    assert bench.row().status == RunStatus.STARTING
    leases = Leases(bench.database)
    wait_until(lambda: leases.put_back_lapsed() != [], "the lease lapses", limit_s=20)
    assert bench.row().status == RunStatus.QUEUED


def test_a_run_whose_worker_fell_silent_after_its_end_is_not_run_again(bench: Bench) -> None:
    """The next one finds it completed, and says so in the first one's place; so do its events."""
    ServiceFacts(bench.database).keep_events(yes=True)

    bench.fall_silent(71)
    assert bench.listed() == [bench.run_id]
    bench.work()
    row = bench.row()
    assert (row.status, row.attempt, row.flower_id, row.worker) == ("completed", 2, "71", "w")
    assert len(bench.processes) == 0
    EventCollector(bench.database, bench.results).collect()
    lines = (bench.results / row.folder / "events.jsonl").read_bytes().splitlines()
    kept = EventOutbox(bench.database).waiting()
    assert [one.number for one in kept] == list(range(1, len(lines) + 1))


def test_events_that_can_t_be_read_keep_no_run_from_its_end(bench: Bench) -> None:
    """Those of an attempt that was cut off, and for a while its own."""
    ServiceFacts(bench.database).keep_events(yes=True)

    def die(process: FakeProcess) -> None:
        bench.leave_run(process, 71, status="running", process={})
        process.killed = True

    bench.work(die)
    unreadable = next(bench.results.glob("*-71")) / "events.jsonl"
    unreadable.unlink()
    unreadable.mkdir()
    keep, tries = LeaseKeeper.write, itertools.count()

    def hardly(keeper: LeaseKeeper, facts: dict[str, Any]) -> bool:
        if facts["status"] == RunStatus.COMPLETED and next(tries) == 0:
            raise OSError(116, "Stale file handle")
        return keep(keeper, facts)

    with mock.patch.object(LeaseKeeper, "write", hardly):
        bench.work(lambda process: bench.leave_run(process, 72))
    row = bench.row()
    assert (row.status, row.attempt, row.flower_id) == ("completed", 2, "72")
    assert next(tries) == 2
    assert {one.number // 1_000_000 for one in EventOutbox(bench.database).waiting()} == {0, 1}


def test_nor_by_the_service_itself(bench: Bench) -> None:
    """Which may take what a worker had, too."""
    bench.fall_silent(71)
    settings = replace(bench.services.settings, runs_at_once=1)
    with mock.patch.object(queue_module, "start_detached") as start:
        RunQueue(bench.database, settings).start_next()
    assert bench.listed() == [bench.run_id]
    row = bench.row()
    assert (row.status, row.attempt, row.flower_id, row.worker) == ("completed", 2, "71", "")
    assert start.call_count == 0
    assert bench.services.discovery.rebuild() == 1
    with mock.patch.object(queue_module, "start_detached") as start:
        RunQueue(bench.database, settings).start_next()
    assert bench.listed() == [bench.run_id]
    assert (bench.row().status, start.call_count) == ("completed", 0)


def test_what_workers_left_that_fell_silent_at_once_is_part_of_their_run(bench: Bench) -> None:
    """Though none had said in the database what its run is called; it goes with it."""
    for k in range(MOST_ATTEMPTS):
        bench.fall_silent(71 + k, status="running", process={})
        assert bench.listed() == [bench.run_id]
    row = bench.row()
    assert (row.status, row.given_up, row.flower_id) == ("failed", True, "")
    bench.services.queue.delete(bench.run_id)
    assert list(bench.results.glob("2*")) == []
    assert bench.listed() == []


def test_a_worker_of_another_folder_is_refused(bench: Bench, tmp_path: Path) -> None:
    """Its runs would lie where the service never looks."""
    url = bench.services.settings.database_url
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(GleanError, match="found no service's folder; wanted the folder of results"):
        run_worker(WorkerSettings(url, tmp_path / "elsewhere"), lambda: None)


def test_a_worker_needs_no_web_server() -> None:
    """Nor anything else that takes memory while it waits."""
    words = "import sys, glean.service.worker.opening; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "sqlalchemy" in loaded
    assert loaded.isdisjoint({"fastapi", "starlette", "uvicorn", "pandas", "flwr", "xgboost"})


def test_paths_below_the_results_are_this_machine_s(tmp_path: Path) -> None:
    """Both see the same folder, but not always under the same path."""
    request = RunRequest(
        "inprocess", "/srv/results", {"sales": "/srv/results/.service/datasets/d/t.parquet"}
    )
    lease = Lease("r1", "w", 1, asdict(request))
    found = request_of(lease, WorkerSettings("", tmp_path))
    assert found.results == str(tmp_path)
    assert found.settings == {"sales": f"{tmp_path}/.service/datasets/d/t.parquet"}
    with pytest.raises(FederationError, match="of a later version of Glean"):
        request_of(
            Lease("r1", "w", 1, {"engine": "inprocess", "new": 1}), WorkerSettings("", tmp_path)
        )
