"""The workers of the service, by REST."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from glean.service.accounts.access import Parts, Reader
from glean.service.problems import responses
from glean.service.runs.worker_list import WorkerList, WorkerState
from glean.service.store.tables import WorkerRow

router = APIRouter(prefix="/api/v1/workers", tags=["runs"], responses=responses(422, 503))


class Worker(BaseModel):
    """A `glean worker`, as it said last that it is there."""

    name: str = Field(examples=["till-2-4711"])
    host: str = Field(description="Name of its machine.", examples=["till-2"])
    state: WorkerState = Field(
        description="Whether it waits for a run (idle), has one (busy), or hasn't said for half a "
        "minute that it is there (lost); after a day it isn't listed any more."
    )
    run: str | None = Field(description="Id of the run that it has, or had; null: none.")
    started_at: str = Field(description="When it said so first, UTC.")
    seen_at: str = Field(description="When it said so last, UTC.")

    @classmethod
    def of(cls, row: WorkerRow, state: WorkerState) -> Worker:
        """Write a row of the database down."""
        return cls(
            name=row.name,
            host=row.host,
            state=state,
            run=row.run_id or None,
            started_at=row.started_at,
            seen_at=row.seen_at,
        )


class Workers(BaseModel):
    """All workers, by name."""

    workers: list[Worker]


@router.get("")
def list_workers(_: Reader, services: Parts) -> Workers:
    """List the workers that take runs from the queue; one that ended in order is none any more."""
    states = WorkerList(services.database).states()
    return Workers(workers=[Worker.of(row, state) for row, state in states])
