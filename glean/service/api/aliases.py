"""Short forms of the API, for a shell: status, start, stop, metrics, config."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from glean.errors import SettingsError
from glean.operations.running.run_request import check_settings
from glean.service.accounts.access import Admin, Parts, Reader, Runner, address_of
from glean.service.api.run_details import list_rounds
from glean.service.api.run_models import RoundTable, Run, SettingValue
from glean.service.api.runs import RUN_RESPONSES, create_run, refuse_paths, stop_run
from glean.service.problems import not_found, responses, settings_problems
from glean.service.runs.listing import RunFilter, RunOrder, list_rows
from glean.service.runs.status import ACTIVE, RunStatus
from glean.service.services import Services

router = APIRouter(prefix="/api", tags=["short forms"], responses=responses(422, 503))

RunId = Annotated[str, Query(max_length=100, description="By default the newest that goes on.")]


class Status(BaseModel):
    """What goes on."""

    running: list[Run]
    queued: list[Run] = Field(description="In the order in which they were asked for.")
    latest: Run | None = Field(description="The one that began last.")


class Config(BaseModel):
    """Settings that new runs have unless they are told otherwise."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"settings": {"max-depth": 4}}]})

    settings: dict[str, SettingValue]


router.add_api_route(
    "/start",
    create_run,
    methods=["POST"],
    status_code=HTTPStatus.CREATED,
    summary="Start a run: POST /api/v1/runs",
    responses=RUN_RESPONSES,
)


@router.get("/status")
def status(_: Reader, services: Parts) -> Status:
    """Say what goes on, what waits and what was last."""
    latest = _rows(services, RunFilter(), RunOrder.NEWEST, limit=1)
    return Status(
        running=_rows(services, RunFilter(ACTIVE), RunOrder.OLDEST),
        queued=_rows(services, RunFilter((RunStatus.QUEUED,)), RunOrder.OLDEST),
        latest=latest[0] if latest else None,
    )


@router.post("/stop", responses=responses(404, 409))
def stop(principal: Runner, services: Parts, request: Request, run: RunId = "") -> Run:
    """Stop a run: POST /api/v1/runs/{id}/stop."""
    return stop_run(run or _newest_active(services), principal, services, request)


@router.get("/metrics", responses=responses(404))
def metrics(principal: Reader, services: Parts, run: RunId = "") -> RoundTable:
    """Give the table of rounds of a run: GET /api/v1/runs/{id}/rounds."""
    latest = _rows(services, RunFilter(), RunOrder.NEWEST, limit=1)
    if not run and not latest:
        raise not_found("run")
    return list_rounds(run or latest[0].id, principal, services)


@router.get("/config")
def get_config(_: Reader, services: Parts) -> Config:
    """Give the settings that new runs have unless they are told otherwise."""
    return Config(settings=services.defaults.all())


@router.put("/config")
def set_config(body: Config, principal: Admin, services: Parts, request: Request) -> Config:
    """Choose them anew, all of them."""
    refuse_paths(body.settings)
    try:
        services.workers.run(check_settings, body.settings)
    except SettingsError as error:
        raise settings_problems(error) from error
    services.defaults.replace(body.settings)
    services.audit_log.note(principal.name, "config.set", address=address_of(request))
    return get_config(principal, services)


def _newest_active(services: Services) -> str:
    found = _rows(services, RunFilter(ACTIVE), RunOrder.NEWEST, limit=1)
    if not found:
        raise not_found("run that goes on")
    return found[0].id


def _rows(services: Services, wanted: RunFilter, order: RunOrder, *, limit: int = 200) -> list[Run]:
    rows, _ = list_rows(services.database, wanted, order=order, limit=limit)
    return [Run.of(row) for row in rows]
