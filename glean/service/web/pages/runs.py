"""The list of runs, the page of one, and what can be done with it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from glean.languages.language import Language
from glean.operations.running.detached_run import log_of
from glean.operations.slurm.slurm_job import end_of_job_log
from glean.runs.events import event_of
from glean.runs.folder import read_events
from glean.service.accounts.access import address_of
from glean.service.api.run_details import LOG_BYTES, files_of, list_files, list_rounds
from glean.service.api.run_models import NewRun
from glean.service.api.runs import ask_for_run, delete_run, stop_run
from glean.service.problems import ProblemError, not_found
from glean.service.runs.client_states import client_standings, counted
from glean.service.runs.listing import RunFilter, RunOrder, list_rows
from glean.service.runs.status import RunStatus
from glean.service.services import Services
from glean.service.store.tables import RunRow
from glean.service.web.browser_access import (
    AdminBrowser,
    Browser,
    Form,
    PageRoute,
    Parts,
    RunningBrowser,
)
from glean.service.web.labels import doing_of, order_words, phase_of, state_words
from glean.service.web.rendering import page
from glean.web.accepted_language import language_for
from glean.workloads import DEFAULT_WORKLOAD, vocabulary_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)

A_PAGE = 50
EVENTS_SHOWN = 100
LOG_LINES_SHOWN = 12


@router.get("/runs")
def show_list(
    request: Request,
    session: Browser,
    services: Parts,
    status: str = "",
    sort: str = RunOrder.NEWEST,
    cursor: str = "",
) -> Response:
    """Show a page of the list."""
    wanted = RunFilter((RunStatus(status),) if status in set(RunStatus) else ())
    order = RunOrder(sort) if sort in set(RunOrder) else RunOrder.NEWEST
    rows, following = list_rows(services.database, wanted, order=order, limit=A_PAGE, cursor=cursor)
    return page(
        request,
        "runs.html",
        session,
        runs=rows,
        next_cursor=following,
        wanted=status,
        sort=order.value,
        statuses=list(RunStatus),
        orders=order_words(language_for(request)),
    )


@router.get("/runs/{run_id}")
def show_run(run_id: str, request: Request, session: Browser, services: Parts) -> Response:
    """Show a run."""
    row = services.queue.find(run_id)
    folder, asked = services.queue.run_folder(row), services.queue.request_folder(row)
    log = services.queue.log_folder(row)
    language = language_for(request)
    completed = row.status == RunStatus.COMPLETED and folder is not None
    return page(
        request,
        "run.html",
        session,
        **_live(services, row, language),
        asked_here=asked is not None,
        digest=services.digests.of(folder, language.code) if completed and folder else None,
        rounds=list_rounds(row.id, session.principal, services).rounds,
        files=list_files(row.id, session.principal, services).files,
        report=folder is not None and (folder / "report.html").is_file(),
        log=log_of(log, most_bytes=LOG_BYTES) if log else "",
        chart_words=chart_words(language, row.workload),
    )


@router.get("/runs/{run_id}/live")
def show_live(run_id: str, request: Request, session: Browser, services: Parts) -> Response:
    """Show the part of its page that changes."""
    row = services.queue.find(run_id)
    answer = page(request, "run_live.html", session, **_live(services, row, language_for(request)))
    answer.headers["X-Run-Ended"] = "yes" if RunStatus(row.status).ended else "no"
    return answer


@router.get("/runs/{run_id}/report")
def show_report(run_id: str, request: Request, _: Browser, services: Parts) -> Response:
    """Show the run's report in the reader's language; a browser may run no scripts of it."""
    folder = services.queue.run_folder(services.queue.find(run_id))
    path = None if folder is None else files_of(folder).get("report.html")
    if path is None:
        raise not_found("report of the run")
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox"
    content = services.reports.of(path, language_for(request).code)
    headers = {"Content-Security-Policy": policy, "Vary": "Cookie, Accept-Language"}
    return HTMLResponse(content, headers=headers)


@router.post("/runs/{run_id}/stop")
def stop(
    run_id: str, session: RunningBrowser, services: Parts, request: Request, _: Form
) -> Response:
    """Stop a run or take it back."""
    stop_run(run_id, session.principal, services, request)
    return RedirectResponse(f"/runs/{run_id}", HTTPStatus.SEE_OTHER)


@router.post("/runs/{run_id}/resume")
def resume(
    run_id: str, session: RunningBrowser, services: Parts, request: Request, _: Form
) -> Response:
    """Go on with a run that was interrupted, as a new one."""
    before = services.queue.find(run_id)
    asked = services.queue.request(before)
    engine = asked.engine if asked else before.engine or "ray"
    if engine == "deployment" and asked is None:
        raise ProblemError(
            HTTPStatus.CONFLICT,
            "the run was started by a command line, which alone knows its deployment: go on with "
            f"it there, by glean run CONNECTION --resume {before.folder}",
        )
    body = NewRun.model_validate(
        {
            "engine": engine,
            "connection": asked.connection if asked else "",
            "job": asked.job if asked and engine == "slurm" else None,
            "resume": before.id,
        }
    )
    row, _new = ask_for_run(services, body, session.principal.name, with_defaults=False)
    services.audit_log.note(
        session.principal.name, "run.resume", row.id, address=address_of(request)
    )
    return RedirectResponse(f"/runs/{row.id}", HTTPStatus.SEE_OTHER)


@router.post("/runs/{run_id}/delete")
def delete(
    run_id: str, session: AdminBrowser, services: Parts, request: Request, _: Form
) -> Response:
    """Delete a run."""
    delete_run(run_id, session.principal, services, request)
    return RedirectResponse("/runs", HTTPStatus.SEE_OTHER)


def chart_words(language: Language, workload: str) -> dict[str, str]:
    """Give what stands at the axes of the chart of rounds; "" is the name of its column."""
    _ = language.gettext
    return {
        "round": _("round"),
        "score": _("off by, validation days") if workload == DEFAULT_WORKLOAD else "",
        "model": _("shared model"),
    }


def _live(services: Services, row: RunRow, language: Language) -> dict[str, Any]:
    folder = services.queue.run_folder(row)
    rows = [] if folder is None else read_events(folder / "events.jsonl")
    clients = [] if folder is None else client_standings(folder / "events.jsonl")
    words = language.in_words_of(vocabulary_of(row.workload))
    ended = RunStatus(row.status).ended
    asked = services.queue.request_folder(row) if row.job and not ended else None
    return {
        "run": row,
        "clients": sorted(clients, key=lambda one: not one.amiss),
        "client_counts": counted(clients),
        "state_words": state_words(language),
        "events": [_shown(event, words) for event in reversed(rows[-EVENTS_SHOWN:])],
        "doing": doing_of(row, language) or ("" if ended else phase_of(rows, words)),
        "job_log": end_of_job_log(asked, LOG_LINES_SHOWN) if asked else "",
        "load": None if ended or row.job else services.meter.load(),
    }


def _shown(row: dict[str, Any], language: Language) -> dict[str, str]:
    event = event_of(row)
    words = str(row.get("event")) if event is None else event.sentence_in(language)
    return {"time": str(row.get("time", ""))[11:19], "words": words}
