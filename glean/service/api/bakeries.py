"""Bakeries by REST: who took part in runs of late, and how each stands."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from glean.languages.language import ENGLISH
from glean.service.accounts.access import Parts, Reader
from glean.service.problems import responses
from glean.service.runs.client_states import ClientState
from glean.service.runs.known_bakeries import KnownBakery

router = APIRouter(prefix="/api/v1/bakeries", tags=["bakeries"], responses=responses(503))


class Bakery(BaseModel):
    """A bakery that took part in one of the last runs."""

    name: str = Field(examples=["Old Market"])
    state: ClientState = Field(description="How it stands in the last run that it took part in.")
    why: str = Field(description="What is amiss; empty where nothing is.")
    since: str | None = Field(description="When that state began, UTC.")
    last_seen: str = Field(description="When it was there last, UTC.")
    run: str = Field(description="Id of that run.")
    engine: str = Field(examples=["deployment"])
    version: str | None = Field(description="Glean's version there.")
    runs_without: int = Field(description="Later runs of its federation that it took no part in.")
    days_missing: int = Field(
        description="Days since it was there last; 0 where nobody has asked for it since."
    )
    score: float | None = Field(
        description="WAPE of what it bakes by on that run's test days; null where it keeps that."
    )

    @classmethod
    def of(cls, bakery: KnownBakery, score: float | None) -> Bakery:
        """Write one down."""
        return cls(
            name=bakery.name,
            state=bakery.standing.state,
            why=bakery.standing.why(ENGLISH),
            since=bakery.standing.since or None,
            last_seen=bakery.last_seen,
            run=bakery.last_run.row.id,
            engine=bakery.last_run.row.engine,
            version=bakery.last_run.version or None,
            runs_without=bakery.runs_without,
            days_missing=bakery.days_missing,
            score=score,
        )


class Bakeries(BaseModel):
    """Bakeries of the last runs, in order of their names."""

    bakeries: list[Bakery]


@router.get("")
def list_bakeries(_: Reader, services: Parts) -> Bakeries:
    """List the bakeries that took part in the last runs."""
    found = services.bakeries.all()
    return Bakeries(bakeries=[Bakery.of(one, services.score_of(one)) for one in found])
