"""The rehearsal by REST: a whole federation on this machine, started, looked at, ended."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from glean.errors import FederationError
from glean.languages.language import ENGLISH
from glean.operations.rehearsal.detached_rehearsal import RehearsalState
from glean.operations.rehearsal.rehearsal_plan import FEWEST, MOST, RehearsalPlan
from glean.service.accounts.access import Parts, Runner, address_of
from glean.service.problems import ProblemError, responses

router = APIRouter(prefix="/api/v1/rehearsal", tags=["federation"], responses=responses(422, 503))

_PLAN = RehearsalPlan()


class NewRehearsal(BaseModel):
    """What shall be rehearsed."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"bakeries": 5}]})

    bakeries: int = Field(default=_PLAN.bakeries, ge=FEWEST, le=MOST, description="How many shops.")
    rounds: int = Field(default=_PLAN.rounds, ge=1, le=100, description="Rounds of the run.")


class RehearsalLine(BaseModel):
    """Something that happened."""

    at: str
    text: str


class Rehearsal(BaseModel):
    """How the rehearsal stands."""

    running: bool = Field(description="Whether anything of it is up.")
    error: str = Field(description="What kept it from going on; empty where nothing did.")
    steps: list[RehearsalLine]

    @classmethod
    def of(cls, state: RehearsalState) -> Rehearsal:
        """Write it down."""
        steps = [RehearsalLine(at=at, text=step.said(ENGLISH)) for at, step in state.steps]
        return cls(running=state.runs, error=state.error, steps=steps)


@router.get("")
def get_rehearsal(_: Runner, services: Parts) -> Rehearsal:
    """Say how the rehearsal stands, with the token of its own control room."""
    return Rehearsal.of(services.rehearsal.state())


@router.post("", status_code=HTTPStatus.ACCEPTED, responses=responses(409))
def start_rehearsal(
    body: NewRehearsal, principal: Runner, services: Parts, request: Request
) -> Rehearsal:
    """Bring a federation up on this machine, have it run once, and leave it up."""
    try:
        services.rehearsal.start(RehearsalPlan(bakeries=body.bakeries, rounds=body.rounds))
    except FederationError as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error
    services.audit_log.note(principal.name, "rehearsal.start", address=address_of(request))
    return get_rehearsal(principal, services)


@router.delete("", responses=responses(404, 409))
def end_rehearsal(principal: Runner, services: Parts, request: Request) -> Rehearsal:
    """Take all of it down."""
    try:
        ended = services.rehearsal.end()
    except FederationError as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error
    if not ended:
        raise ProblemError(HTTPStatus.NOT_FOUND, "no rehearsal goes on")
    services.audit_log.note(principal.name, "rehearsal.end", address=address_of(request))
    return get_rehearsal(principal, services)
