"""Leases: which worker runs what, so that each run is one worker's at a time.

Whoever takes a run holds it until a time on the database's clock, and longer by renewing. What has
lapsed waits again, for anybody. Each taking has a number of its own, the attempt, and whoever
writes of a run compares it: what comes late from a worker that lost its run changes nothing.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from glean.runs.folder import INTERRUPTED
from glean.service.runs.status import ACTIVE, RunStatus
from glean.service.store.clock import as_text, database_now
from glean.service.store.database import Database
from glean.service.store.tables import RunRow

LEASE_S = 60.0
"""How long a run stays a worker's that doesn't say anything."""

MOST_ATTEMPTS = 3
"""How often a run may be cut off; what brings three workers down would bring down the fourth."""

ENGINES = ("ray", "inprocess")
"""What a worker can run; the others are followed by the service."""

_TRIES = 20


class LeaseState(StrEnum):
    """How a worker stands to the run that it took."""

    HELD = "held"
    CANCELLED = "cancelled"
    """It is the worker's, to be stopped."""
    LOST = "lost"


@dataclass(frozen=True)
class Lease:
    """A run that a worker took.

    Parameters
    ----------
    run_id : str
        The run's id in the queue.
    worker : str
        Whose it is.
    attempt : int
        The number of this taking, from 1 on.
    request : mapping
        What was asked for, as `RunRequest` has it.
    earlier : tuple of str
        Flower's id of the run of each attempt before; "" where it had none yet.
    taken_at : float
        Monotonic time of this machine's before it was taken.
    """

    run_id: str
    worker: str
    attempt: int
    request: Mapping[str, Any]
    earlier: tuple[str, ...] = ()
    taken_at: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class CutOff:
    """An attempt that ended before its run did.

    Parameters
    ----------
    run_id, worker, attempt
        Whose, and which.
    flower_id : str
        Flower's id of its run; "" where it had none yet.
    given_up : bool
        Whether the run has failed by it.
    """

    run_id: str
    worker: str
    attempt: int
    flower_id: str
    given_up: bool


class Leases:
    """Runs of the queue, taken and given back.

    Parameters
    ----------
    database : Database
        Where the queue is.
    lease_s : float
        How long a run stays whose it is without being renewed.
    """

    def __init__(self, database: Database, *, lease_s: float = LEASE_S) -> None:
        self._database = database
        self._length = dt.timedelta(seconds=lease_s)

    def take(
        self, worker: str, *, engines: Sequence[str] = ENGINES, run_id: str = ""
    ) -> Lease | None:
        """Take a run that waits: of the highest priority the oldest.

        Parameters
        ----------
        worker : str
            Who takes it.
        engines : sequence of str
            What it can run.
        run_id : str
            Take this one, if it waits still; by default any.

        Returns
        -------
        Lease or None
            None where nothing waits.
        """
        for _ in range(_TRIES):
            now = time.monotonic()
            with self._database.transaction() as session:
                found = session.scalar(_waiting(engines, run_id).limit(1))
                if found is None:
                    return None
                row = self._take_row(session, found, worker)
                if row is not None:
                    earlier = tuple(row.earlier)
                    return Lease(row.id, worker, row.attempt, row.request, earlier, now)
        return None  # others were quicker each time: there are enough of them

    def renew(self, lease: Lease) -> LeaseState:
        """Hold a run for longer, and hear whether it shall be stopped."""
        with self._database.transaction() as session:
            done = session.execute(
                sa.update(RunRow)
                .where(*held_by(lease))
                .values(lease_until=self._until(session))
                .returning(RunRow.cancel_wanted)
            ).first()
        return _state(done)

    def look(self, lease: Lease) -> LeaseState:
        """Hear whether a run is still held and shall go on, without renewing."""
        with self._database.transaction() as session:
            asked = sa.select(RunRow.cancel_wanted).where(*held_by(lease))
            return _state(session.execute(asked).first())

    def report(self, session: Session, lease: Lease, facts: Mapping[str, Any]) -> bool:
        """Write what is known of a run, also its end; False where it is another's by now.

        Parameters
        ----------
        session : Session
            Of a transaction: what belongs to it is written with it or not at all.
        lease : Lease
            The run.
        facts : mapping
            Columns of `RunRow` with their values.
        """
        ended = RunStatus(facts.get("status", RunStatus.RUNNING)).ended
        over = {"lease_until": ""} if ended else {}
        done = session.execute(
            sa.update(RunRow).where(*held_by(lease)).values({**facts, **over}).returning(RunRow.id)
        )
        return done.first() is not None

    def hand_back(self, lease: Lease, *, orderly: bool = True, why: str = "") -> CutOff | None:
        """Let a run wait again; None where it is another's by now.

        Parameters
        ----------
        lease : Lease
            The run.
        orderly : bool
            Whether it was stopped since its worker ends: that doesn't count against it.
        why : str
            What cut it off otherwise.
        """
        with self._database.transaction() as session:
            row = session.scalar(sa.select(RunRow).where(*held_by(lease)).with_for_update())
            if row is None:
                return None
            return _put_back(session, row, orderly=orderly, why=why, now=database_now(session))

    def put_back_lapsed(self) -> list[CutOff]:
        """Let those wait again whose worker hasn't renewed its lease."""
        with self._database.transaction() as session:
            now = database_now(session)
            lapsed = sa.select(RunRow).where(
                RunRow.status.in_(ACTIVE),
                RunRow.worker != "",
                # Later by a second at least: the clock says whole seconds.
                RunRow.lease_until < as_text(now),
            )
            rows = session.scalars(lapsed.with_for_update(skip_locked=True))
            found = [_put_back(session, row, now=now) for row in rows]
            return [one for one in found if one is not None]

    def _take_row(self, session: Session, run_id: str, worker: str) -> RunRow | None:
        """Take one, unless another was quicker."""
        return session.scalar(
            sa.update(RunRow)
            .where(RunRow.id == run_id, RunRow.status == RunStatus.QUEUED)
            .values(
                status=RunStatus.STARTING,
                worker=worker,
                attempt=RunRow.attempt + 1,
                lease_until=self._until(session),
            )
            .returning(RunRow)
        )

    def _until(self, session: Session) -> str:
        return as_text(database_now(session) + self._length)


def held_by(lease: Lease) -> tuple[sa.ColumnElement[bool], ...]:
    """Give the conditions under which a run is still that of a lease."""
    return (
        RunRow.id == lease.run_id,
        RunRow.worker == lease.worker,
        RunRow.attempt == lease.attempt,
        RunRow.status.in_(ACTIVE),
    )


def _waiting(engines: Sequence[str], run_id: str) -> sa.Select[str]:
    query = sa.select(RunRow.id).where(
        RunRow.status == RunStatus.QUEUED, RunRow.engine.in_(engines)
    )
    if run_id:
        query = query.where(RunRow.id == run_id)
    ordered = query.order_by(RunRow.priority.desc(), RunRow.asked_at, RunRow.id)
    # Only where there is such a thing: in SQLite the update that follows finds who was first.
    return ordered.with_for_update(skip_locked=True)


def _state(found: sa.Row[bool] | None) -> LeaseState:
    if found is None:
        return LeaseState.LOST
    return LeaseState.CANCELLED if found[0] else LeaseState.HELD


def _put_back(
    session: Session, row: RunRow, *, now: dt.datetime, orderly: bool = False, why: str = ""
) -> CutOff | None:
    """Let a run wait again, unless its row has changed; too often cut off it has failed."""
    cut_off_times = row.attempt - row.handed_back - int(orderly)
    why = why or f"its worker {row.worker} said nothing any more"
    given_up = cut_off_times >= MOST_ATTEMPTS and not row.cancel_wanted
    values: dict[str, Any] = {"lease_until": ""}
    if row.cancel_wanted or given_up:
        reason = f"given up after {cut_off_times} attempts: {why}" if given_up else INTERRUPTED
        values |= {"status": RunStatus.FAILED, "reason": reason, "ended_at": as_text(now)}
        values |= {"given_up": given_up, "sent_at": ""}
    else:
        values |= {"status": RunStatus.QUEUED, "worker": "", "sent_at": "", "seen": ""}
        values |= {"earlier": [*row.earlier, row.flower_id], "flower_id": "", "folder": ""}
        values |= {"handed_back": row.handed_back + int(orderly), "started_at": ""}
        values |= {"rounds_done": 0, "score": None, "score_noise": None}
    done = session.execute(
        sa.update(RunRow)
        .where(
            RunRow.id == row.id,
            RunRow.worker == row.worker,
            RunRow.attempt == row.attempt,
            RunRow.lease_until == row.lease_until,
            RunRow.status.in_(ACTIVE),
        )
        .values(values)
        .returning(RunRow.id)
        .execution_options(synchronize_session=False)
    )
    if done.first() is None:
        return None
    return CutOff(row.id, row.worker, row.attempt, row.flower_id, given_up)
