"""How the SuperLink of the federation stands, by REST."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from glean.service.accounts.access import Parts, Reader
from glean.service.problems import responses
from glean.service.superlink.superlink_state import SuperLinkPhase

router = APIRouter(prefix="/api/v1/superlink", tags=["federation"], responses=responses(422, 503))


class SuperLinkStanding(BaseModel):
    """The SuperLink that the service looks after."""

    phase: SuperLinkPhase = Field(
        description="Whether it starts, is told who the members are (registering), is ready for "
        "them, or waits to be started again."
    )
    since: str = Field(description="Since when, UTC.")
    restarts: int = Field(description="How often it was started again since the service began.")
    members: int = Field(description="How many nodes it lets in.")
    problem: str = Field(description="What last went wrong; empty where nothing did.")


@router.get("")
def superlink(_: Reader, services: Parts) -> SuperLinkStanding:
    """Say how it stands."""
    assert services.superlink is not None, "the route is there only with a federation"
    state = services.superlink.state
    return SuperLinkStanding(
        phase=state.phase,
        since=state.since,
        restarts=state.restarts,
        members=state.members,
        problem=state.problem,
    )
