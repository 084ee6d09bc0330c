"""Runs by REST: asked for, listed, looked at, stopped, deleted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response

from glean.errors import SettingsError
from glean.federation.launch.deployed_superlink import CONNECTION
from glean.operations.registry.start_model import SETTING as START_FROM
from glean.operations.registry.start_model import with_pinned_model
from glean.operations.running.run_request import RunRequest, check_request, check_settings
from glean.operations.running.stored_inputs import FILES
from glean.operations.slurm.slurm import why_no_slurm
from glean.registry.model_uri import is_model_uri
from glean.service.accounts.access import Admin, Parts, Reader, Runner, address_of
from glean.service.api.conditional import IF_NONE_MATCH, answer_unless_known
from glean.service.api.run_models import PATH_SETTINGS, NewRun, Run, RunPage, SettingValue
from glean.service.problems import FieldProblem, ProblemError, responses, settings_problems
from glean.service.runs.listing import RunFilter, RunOrder, list_rows
from glean.service.runs.status import RunStatus
from glean.service.services import Services
from glean.service.store.tables import RunRow

router = APIRouter(prefix="/api/v1/runs", tags=["runs"], responses=responses(422, 503))

MOST_A_PAGE = 200

RUN_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"model": Run, "description": "Asked for before, under the same key."},
    **responses(404, 409, 507),
}
"""What asking for a run is answered by beside 201, for OpenAPI."""


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    responses=RUN_RESPONSES,
)
def create_run(
    body: NewRun,
    principal: Runner,
    services: Parts,
    request: Request,
    response: Response,
    idempotency_key: Annotated[
        str, Header(max_length=200, description="The same request under the same key runs once.")
    ] = "",
) -> Run:
    """Put a run into the queue; it begins once fewer runs go on than may."""
    row, new = ask_for_run(services, body, principal.name, key=idempotency_key)
    if new:
        services.audit_log.note(principal.name, "run.create", row.id, address=address_of(request))
    response.status_code = HTTPStatus.CREATED if new else HTTPStatus.OK
    response.headers["Location"] = f"/api/v1/runs/{row.id}"
    return Run.of(row)


@router.get("")
def list_runs(
    _: Reader,
    services: Parts,
    status: Annotated[list[RunStatus] | None, Query(description="How they stand.")] = None,
    engine: Annotated[str, Query(max_length=50)] = "",
    workload: Annotated[str, Query(max_length=50)] = "",
    sort: Annotated[RunOrder, Query(description="-: the latest first.")] = RunOrder.NEWEST,
    limit: Annotated[int, Query(ge=1, le=MOST_A_PAGE)] = 50,
    cursor: Annotated[str, Query(max_length=500, description="next_cursor of a page.")] = "",
) -> RunPage:
    """List runs, those of the command line too."""
    wanted = RunFilter(tuple(status or ()), engine, workload)
    rows, following = list_rows(services.database, wanted, order=sort, limit=limit, cursor=cursor)
    return RunPage(runs=[Run.of(row) for row in rows], next_cursor=following or None)


@router.get(
    "/{run_id}",
    response_model=Run,
    responses={304: {"description": "It is as the ETag says."}, **responses(404)},
    openapi_extra={"parameters": [IF_NONE_MATCH]},
)
def get_run(run_id: str, _: Reader, services: Parts, request: Request) -> Response:
    """Look at a run; with an ETag."""
    return answer_unless_known(request, Run.of(services.queue.find(run_id)))


@router.post("/{run_id}/stop", responses=responses(404, 409))
def stop_run(run_id: str, principal: Runner, services: Parts, request: Request) -> Run:
    """Stop a run that goes on, or take one back that waits; answers once that is done."""
    row = services.queue.stop(run_id)
    services.discovery.refresh()
    services.supervisor.hurry()
    services.audit_log.note(principal.name, "run.stop", row.id, address=address_of(request))
    return Run.of(services.queue.find(row.id))


@router.delete("/{run_id}", status_code=HTTPStatus.NO_CONTENT, responses=responses(404, 409))
def delete_run(run_id: str, principal: Admin, services: Parts, request: Request) -> None:
    """Delete a run that has ended, with its model and all its files; not what is in production."""
    if services.queue.find(run_id).id == services.models.current():
        raise ProblemError(
            HTTPStatus.CONFLICT,
            "forecasts and plans go by its model: put another one into production first",
        )
    services.queue.delete(run_id)
    services.audit_log.note(principal.name, "run.delete", run_id, address=address_of(request))


def ask_for_run(
    services: Services,
    body: NewRun,
    asked_by: str,
    *,
    key: str = "",
    with_defaults: bool = True,
) -> tuple[RunRow, bool]:
    """Check a run that is asked for and put it into the queue.

    Raises
    ------
    ProblemError
        It can't be run so; every setting that is wrong is named.
    """
    if body.engine == "deployment" and not body.connection and services.superlink is not None:
        body = body.model_copy(update={"connection": CONNECTION})
    _refuse_mixture(services, body)
    chosen = services.defaults.all() if with_defaults and body.resume is None else {}
    settings = {**chosen, **body.settings, **_paths(services, body)}
    request = RunRequest(
        engine=body.engine,
        results=str(services.settings.results),
        settings=settings,
        bakeries=body.bakeries,
        connection=body.connection,
        job=body.job.options() if body.job else {},
        asked_by=asked_by,
        priority=body.priority,
    )
    try:
        if is_model_uri(settings.get(START_FROM)):
            # It may wait for long, and what an alias means changes.
            pinned = services.workers.run(with_pinned_model, settings)
            request = replace(request, settings=pinned)
        services.workers.run(check_request, request)
    except SettingsError as error:
        raise settings_problems(_without_folder(error, services)) from error
    row, new = services.queue.ask(request, key=key)
    services.supervisor.hurry()
    return row, new


def _without_folder(error: SettingsError, services: Services) -> SettingsError:
    """Say the same without where the results lie on this machine, as of a registered model."""
    folder, said = f"{services.settings.results}/", str(error)
    return SettingsError(said.replace(folder, "")) if folder in said else error


def _refuse_mixture(services: Services, body: NewRun) -> None:
    """Refuse paths, what belongs to another engine, and one that can't be had here.

    Raises
    ------
    ProblemError
        Names each field, and each setting that is wrong beside.
    """
    stored = _stored(services, body.settings)
    named = {key: it for key, it in body.settings.items() if key not in stored}
    errors = _path_problems(named) + _mixture_problems(body)
    if not errors:
        return
    try:
        settings = {key: it for key, it in body.settings.items() if key not in PATH_SETTINGS}
        services.workers.run(check_settings, settings)
    except SettingsError as error:
        errors += settings_problems(error).errors
    raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "it can't be run so", errors=errors)


def _mixture_problems(body: NewRun) -> list[FieldProblem]:
    deployed = body.engine == "deployment"
    no_slurm = why_no_slurm() if body.engine == "slurm" else ""
    wrong = {
        "dataset": deployed and body.dataset is not None,
        "bakeries": deployed and body.bakeries is not None,
        "connection": deployed != bool(body.connection),
        "job": body.engine != "slurm" and body.job is not None,
        "engine": bool(no_slurm),
    }
    said = {
        "dataset": "wanted nothing: in a deployment each bakery has its own table, which never "
        "leaves it",
        "bakeries": "wanted nothing: those that are connected take part",
        "connection": "wanted the name of a SuperLink with the engine deployment, and nothing "
        "otherwise",
        "job": "wanted nothing but with the engine slurm",
        "engine": f"found 'slurm'; {no_slurm}",
    }
    return [
        FieldProblem(pointer=f"/{name}", detail=f"{name}: {said[name]}")
        for name, is_wrong in wrong.items()
        if is_wrong
    ]


def _paths(services: Services, body: NewRun) -> dict[str, SettingValue]:
    found: dict[str, SettingValue] = {}
    if body.dataset is not None:
        found["sales"] = str(services.datasets.table_of(body.dataset))
    if body.resume is not None:
        folder = services.queue.run_folder(services.queue.find(body.resume))
        if folder is None:
            raise ProblemError(HTTPStatus.CONFLICT, "the run to resume never began: start it anew")
        found["resume"] = str(folder)
    return found


def _stored(services: Services, settings: Mapping[str, SettingValue]) -> set[str]:
    """Say which settings name a file of the service's own store, which may be named from outside.

    Of any other address the service would ask with its own credentials, from within its network.
    """
    below = f"{services.settings.storage}/" if services.settings.storage else ""
    return {key for key in FILES if below and str(settings.get(key, "")).startswith(below)}


def refuse_paths(settings: dict[str, SettingValue]) -> None:
    """Refuse settings that name paths on the service's machine.

    Raises
    ------
    ProblemError
        Names each.
    """
    errors = _path_problems(settings)
    if errors:
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY, "no path from outside is taken", errors=errors
        )


def _path_problems(settings: dict[str, SettingValue]) -> list[FieldProblem]:
    """Say which settings name paths, and the field of a request that has an id in their place."""
    instead = {
        "sales": "; wanted an id, as dataset",
        "resume": "; wanted an id, as resume",
        START_FROM: "; wanted a registered model, like models:/glean/3",
    }
    return [
        FieldProblem(
            pointer=f"/settings/{key}",
            detail=f"{key}: found a path on this machine, which isn't taken from outside"
            f"{instead.get(key, '')}",
        )
        for key in PATH_SETTINGS
        if settings.get(key) and not (key == START_FROM and is_model_uri(settings[key]))
    ]
