"""What the service itself takes from the queue, to run or to follow it: it needs no lease for that.

Its processes outlive it, and say on this machine's disk how they stand.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from glean.runs.folder import utc_now
from glean.service.runs.discovery import SLURM
from glean.service.runs.run_files import flower_id_of
from glean.service.runs.status import ACTIVE, RunStatus
from glean.service.store.tables import RunRow

IS_QUEUED = RunRow.status == RunStatus.QUEUED
IS_ACTIVE = RunRow.status.in_(ACTIVE)
ON_SLURM = RunRow.engine == SLURM
HERE = RunRow.worker == ""
NEEDS_A_PROCESS = (RunRow.status == RunStatus.STARTING) | (ON_SLURM & IS_ACTIVE)
"""Of a run on SLURM all the time: what follows its job may be killed, and the job goes on."""


def claim_oldest(session: Session, kind: sa.ColumnElement[bool], at_once: int) -> list[str]:
    """Take as many of a kind that wait as may go on at once."""
    active = session.scalar(sa.select(sa.func.count()).where(IS_ACTIVE, HERE, kind)) or 0
    waiting = sa.select(RunRow.id).where(IS_QUEUED, kind)
    oldest = waiting.order_by(RunRow.priority.desc(), RunRow.asked_at, RunRow.id).limit(
        max(0, at_once - active)
    )
    return [run_id for run_id in session.scalars(oldest) if _claim_row(session, run_id)]


def _claim_row(session: Session, run_id: str) -> bool:
    """Take one that waits, unless another service was quicker."""
    done = session.execute(
        sa.update(RunRow)
        .where(RunRow.id == run_id, IS_QUEUED)
        .values(status=RunStatus.STARTING, attempt=RunRow.attempt + 1)
        .returning(RunRow.id)
    )
    return done.first() is not None


def take_back(session: Session, run_id: str) -> bool:
    """Take back a run that waits; False where it doesn't, or any more."""
    done = session.execute(
        sa.update(RunRow)
        .where(RunRow.id == run_id, IS_QUEUED)
        .values(status=RunStatus.CANCELLED, ended_at=utc_now())
        .returning(RunRow.id)
    )
    return done.first() is not None


def want_stopped(session: Session, run_id: str) -> bool:
    """Have a worker stop its run, or take it back where it was put back; whether it was that."""
    if take_back(session, run_id):
        return True
    session.execute(
        sa.update(RunRow).where(RunRow.id == run_id, IS_ACTIVE).values(cancel_wanted=True)
    )
    return False


def take_over(session: Session, run_id: str, folder: str, earlier: list[str]) -> None:
    """Have a run be what an earlier attempt completed, whose worker fell silent before it said so.

    Its folder says the rest, with the next look.
    """
    facts = {"flower_id": flower_id_of(Path(folder)), "folder": folder, "seen": ""}
    session.execute(
        sa.update(RunRow).where(RunRow.id == run_id).values({**facts, "earlier": earlier})
    )
