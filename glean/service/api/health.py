"""Whether the service lives, and whether it can do what it is there for."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from glean.service.accounts.access import Parts

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """That the service answers."""

    status: str = Field(examples=["ok"])


class Readiness(BaseModel):
    """Whether the service can do its work, and what of its parts is broken; "" where nothing is.

    A part that isn't set up has no field. All but `database` and `results` can be missing for a
    while: the service is ready, and does later what it couldn't do.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, str]

    ready: bool
    database: str = Field(description="Why it can't be written.", examples=[""])
    results: str = Field(
        description="Why there can't be new runs.", examples=["12 MB free; wanted 100 MB"]
    )


@router.get("/healthz")
async def health() -> Health:
    """Say that the service lives."""
    # Not in a thread: all of them may wait for a database, and an orchestrator would kill it.
    return Health(status="ok")


@router.get("/readyz", responses={503: {"model": Readiness, "description": "Not ready."}})
def readiness(services: Parts, response: Response) -> Readiness:
    """Say what of the database, the disk and whatever else is set up is broken."""
    found = services.health.look()
    if not found.ready:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return Readiness.model_validate({"ready": found.ready, **found.problems})
