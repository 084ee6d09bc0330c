"""Leases: a run is one worker's at a time, whatever they do at once and whoever falls silent."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glean.runs.folder import INTERRUPTED
from glean.service.runs import leases as leases_module
from glean.service.runs.leases import MOST_ATTEMPTS, Lease, Leases, LeaseState
from glean.service.runs.status import RunStatus
from glean.service.runs.worker_list import WorkerList
from glean.service.store.database import Database
from glean.service.store.service_facts import ServiceFacts, read_id
from glean.service.store.tables import RunRow, WorkerRow
from tests.service.databases import clock_ahead, url_for


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = Database(url_for(tmp_path) or f"sqlite:///{tmp_path / 'service.db'}")
    found.upgrade()
    yield found
    found.close()


def add(database: Database, *names: str, priority: int = 0, engine: str = "inprocess") -> None:
    """Put runs into the queue."""
    with database.transaction() as session:
        for name in names:
            session.add(
                RunRow(
                    id=name,
                    status=RunStatus.QUEUED,
                    engine=engine,
                    asked_at="2026-05-01T12:00:00+00:00",
                    priority=priority,
                    request={"engine": engine},
                )
            )


def row_of(database: Database, run_id: str) -> RunRow:
    with database.transaction() as session:
        return session.scalars(sa.select(RunRow).where(RunRow.id == run_id)).one()


def later(seconds: float) -> mock._patch[mock.Mock]:
    """Let the database's clock be ahead."""
    return clock_ahead(leases_module, seconds)


def taken(leases: Leases, worker: str = "w", run_id: str = "") -> Lease:
    found = leases.take(worker, run_id=run_id)
    assert found is not None
    return found


def report(database: Database, leases: Leases, lease: Lease, **facts: object) -> bool:
    with database.transaction() as session:
        return leases.report(session, lease, facts)


def test_the_highest_priority_goes_first_then_the_oldest(database: Database) -> None:
    """And nothing that the service itself follows, nor what wasn't asked for by its id."""
    add(database, "r2", "r1")
    add(database, "r9", priority=5)
    add(database, "r0", engine="slurm", priority=9)
    leases = Leases(database)
    first = taken(leases)
    assert (first.run_id, first.attempt, first.request) == ("r9", 1, {"engine": "inprocess"})
    assert leases.take("w", run_id="r9") is None
    assert taken(leases, run_id="r2").run_id == "r2"
    assert taken(leases).run_id == "r1"
    assert leases.take("w") is None
    assert row_of(database, "r0").status == RunStatus.QUEUED


def test_workers_that_take_at_once_never_take_the_same(database: Database) -> None:
    """Each run is taken exactly once, by eight that race for twenty."""
    names = [f"r{k:02d}" for k in range(20)]
    add(database, *names)
    leases, begin = Leases(database), threading.Barrier(8)
    found: list[tuple[str, str]] = []

    def race(worker: str) -> None:
        begin.wait()
        while (lease := leases.take(worker)) is not None:
            found.append((lease.run_id, worker))

    threads = [threading.Thread(target=race, args=(f"w{k}",)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(run for run, _ in found) == names
    assert all(row_of(database, run).worker == worker for run, worker in found)


class Model:
    """Who holds what, as plainly as can be: who took it last, until it ends or the lease lapses."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.leases = Leases(database, lease_s=60)
        self.holds: dict[str, Lease] = {}
        self.old: list[Lease] = []
        self.ends: Counter[str] = Counter()
        self.ahead_s = 0

    def do(self, step: str, worker: str) -> None:
        """Let a worker do something; what it may do as it holds a run works."""
        lease = next((one for one in self.holds.values() if one.worker == worker), None)
        if step == "wait":
            self.ahead_s += 20
        elif step == "lapse":
            gone = self.leases.put_back_lapsed()
            self.old += [self.holds.pop(one.run_id) for one in gone]
        elif lease is None:
            self.take(worker)
        elif step == "renew":
            assert self.leases.renew(lease) is LeaseState.HELD
        else:
            self.old.append(self.holds.pop(lease.run_id))
            self.ends[lease.run_id] += step == "end"
            assert self.leave(step, lease)

    def take(self, worker: str) -> None:
        found = self.leases.take(worker)
        if found is not None:
            assert found.run_id not in self.holds
            assert not self.ends[found.run_id]
            self.holds[found.run_id] = found

    def leave(self, step: str, lease: Lease) -> bool:
        if step == "hand back":
            return self.leases.hand_back(lease) is not None
        return report(self.database, self.leases, lease, status=RunStatus.COMPLETED)

    def check(self) -> None:
        """Who lost a run writes nothing of it; who has one has it in the database too."""
        for one in self.old:
            assert self.leases.renew(one) is LeaseState.LOST
            assert not self.leave("end", one)
            assert not self.leave("hand back", one)
        for run_id, lease in self.holds.items():
            row = row_of(self.database, run_id)
            assert (row.worker, row.attempt) == (lease.worker, lease.attempt)
        assert max(self.ends.values(), default=0) <= 1


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["renew", "end", "hand back", "lapse", "wait"]),
        st.sampled_from(["w1", "w2", "w3"]),
    ),
    max_size=15,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(STEPS)
def test_whatever_workers_do_a_run_has_one_and_ends_once(
    database: Database, steps: list[tuple[str, str]]
) -> None:
    """Against a plain model of who holds what."""
    with database.transaction() as session:
        session.execute(sa.delete(RunRow))
    add(database, "r1", "r2")
    model = Model(database)
    for step, worker in steps:
        with later(model.ahead_s):
            model.do(step, worker)
            model.check()


def test_what_has_lapsed_waits_again_and_its_worker_writes_nothing_more(
    database: Database,
) -> None:
    """The attempt that was cut off is remembered by Flower's id; its message is sent again."""
    add(database, "r1")
    leases = Leases(database, lease_s=60)
    lease = taken(leases, "late")
    assert report(
        database,
        leases,
        lease,
        status=RunStatus.RUNNING,
        flower_id="77",
        folder="a-77",
        sent_at="x",
    )
    with later(59):
        assert leases.put_back_lapsed() == []
    with later(62):
        (found,) = leases.put_back_lapsed()
        assert leases.put_back_lapsed() == []
    assert (found.run_id, found.worker, found.flower_id) == ("r1", "late", "77")
    row = row_of(database, "r1")
    assert (row.status, row.worker, row.folder, row.sent_at) == ("queued", "", "", "")
    again = taken(leases, "late")
    assert (again.attempt, again.earlier) == (2, ("77",))
    assert leases.renew(lease) is LeaseState.LOST
    assert not report(database, leases, lease, status=RunStatus.FAILED, reason="too late")
    assert row_of(database, "r1").status == RunStatus.STARTING


def test_a_lease_that_is_renewed_does_not_lapse(database: Database) -> None:
    """Counted from the renewal."""
    add(database, "r1")
    leases = Leases(database, lease_s=60)
    lease = taken(leases)
    with later(50):
        assert leases.renew(lease) is LeaseState.HELD
    with later(100):
        assert leases.put_back_lapsed() == []
    with later(112):
        assert len(leases.put_back_lapsed()) == 1


def test_what_is_cut_off_too_often_is_given_up(database: Database) -> None:
    """What was handed back in order doesn't count."""
    add(database, "r1")
    leases = Leases(database)
    for _ in range(4):
        assert leases.hand_back(taken(leases)) is not None
    for k in range(MOST_ATTEMPTS):
        cut_off = leases.hand_back(taken(leases), orderly=False, why="its process was killed")
        assert cut_off is not None
        assert cut_off.given_up == (k == MOST_ATTEMPTS - 1)
    row = row_of(database, "r1")
    assert (row.status, row.given_up, row.attempt) == (RunStatus.FAILED, True, 7)
    assert row.reason == "given up after 3 attempts: its process was killed"
    assert leases.take("w") is None


def test_what_shall_be_stopped_is_not_taken_again(database: Database) -> None:
    """Also when its worker dies over it."""
    add(database, "r1")
    leases = Leases(database)
    lease = taken(leases)
    with database.transaction() as session:
        session.execute(sa.update(RunRow).values(cancel_wanted=True))
    assert leases.look(lease) is LeaseState.CANCELLED
    assert leases.renew(lease) is LeaseState.CANCELLED
    with later(100):
        leases.put_back_lapsed()
    row = row_of(database, "r1")
    assert (row.status, row.reason, row.given_up) == (RunStatus.FAILED, INTERRUPTED, False)


def test_workers_are_there_as_long_as_they_say_so(database: Database) -> None:
    """By name, with what they work on."""
    workers = WorkerList(database)
    workers.seen("b", "host")
    workers.seen("a", "host", run_id="r1")
    workers.seen("b", "host", run_id="r2")
    assert [(one.name, one.run_id) for one in workers.present()] == [("a", "r1"), ("b", "r2")]
    workers.gone("a")
    with database.transaction() as session:
        session.execute(sa.update(WorkerRow).values(seen_at="2026-01-01T00:00:00+00:00"))
    assert workers.present() == []


def test_a_service_has_one_id_and_says_whether_it_keeps_events(
    database: Database, tmp_path: Path
) -> None:
    """To all who ask its database; the folder of its results has the same id."""
    facts, path = ServiceFacts(database), tmp_path / "service-id"
    assert facts.service_id == read_id(path) == ""
    first = facts.settle_id(path)
    assert len(first) == 16
    assert facts.settle_id(path) == facts.service_id == read_id(path) == first
    path.unlink()
    assert facts.settle_id(path) == read_id(path) == first
    assert not facts.keeps_events
    facts.keep_events(yes=True)
    assert ServiceFacts(database).keeps_events
    facts.keep_events(yes=False)
    assert not facts.keeps_events
