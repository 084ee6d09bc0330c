"""Whether the service lives, and whether it can do what it is there for."""

from __future__ import annotations

import shutil
from http import HTTPStatus

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from glean.runs.folder import write_whole
from glean.service.accounts.access import Parts
from glean.service.settings import MEGABYTE, ServiceSettings

router = APIRouter(tags=["health"])

LEAST_FREE_MB = 100
"""Less than that on the disk of the results, and a run would soon fail."""


class Health(BaseModel):
    """That the service answers."""

    status: str = Field(examples=["ok"])


class Readiness(BaseModel):
    """Whether the service can do its work; "" where nothing is wrong."""

    ready: bool
    database: str = Field(description="Why it can't be written.", examples=[""])
    results: str = Field(
        description="Why there can't be new runs.", examples=["12 MB free; wanted 100 MB"]
    )


@router.get("/healthz")
def health() -> Health:
    """Say that the service lives."""
    return Health(status="ok")


@router.get("/readyz", responses={503: {"model": Readiness, "description": "Not ready."}})
def readiness(services: Parts, response: Response) -> Readiness:
    """Say whether the database and the disk can be written."""
    found = look(services)
    if not found.ready:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return found


def look(services: Parts) -> Readiness:
    """Look at the database and the disk."""
    database, results = services.database.check(), _disk_problem(services.settings)
    return Readiness(ready=not database and not results, database=database, results=results)


def _disk_problem(settings: ServiceSettings) -> str:
    try:
        free_mb = shutil.disk_usage(settings.results).free // MEGABYTE
        if free_mb < LEAST_FREE_MB:
            return f"{free_mb} MB free; wanted {LEAST_FREE_MB} MB"
        write_whole(settings.home / "probe", b"").unlink()
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""
