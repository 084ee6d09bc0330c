"""The rehearsal: a whole federation on this machine, started by a button and ended by one."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from glean.operations.rehearsal.rehearsal_plan import FEWEST, MOST, RehearsalPlan
from glean.service.api import rehearsal as api
from glean.service.services import Services
from glean.service.web.browser_access import Form, PageRoute, Parts, RunningBrowser
from glean.service.web.rendering import page

PATH = "/rehearsal"

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get(PATH)
def show(request: Request, session: RunningBrowser, services: Parts) -> Response:
    """Show it."""
    return page(
        request,
        "rehearsal.html",
        session,
        fewest=FEWEST,
        most=MOST,
        usual=RehearsalPlan(),
        **_live(services),
    )


@router.get(f"{PATH}/live")
def show_live(request: Request, session: RunningBrowser, services: Parts) -> Response:
    """Show the part of it that changes."""
    found = page(request, "rehearsal_live.html", session, **_live(services))
    found.headers["x-run-ended"] = "no" if services.rehearsal.state().runs else "yes"
    return found


@router.post(PATH)
def start(request: Request, session: RunningBrowser, services: Parts, form: Form) -> Response:
    """Start one."""
    told = {name: str(form.get(name, "")).strip() for name in ("bakeries", "rounds")}
    body = api.NewRehearsal.model_validate({key: text for key, text in told.items() if text})
    api.start_rehearsal(body, session.principal, services, request)
    return RedirectResponse(PATH, HTTPStatus.SEE_OTHER)


@router.post(f"{PATH}/end")
def end(request: Request, session: RunningBrowser, services: Parts, _: Form) -> Response:
    """End it."""
    api.end_rehearsal(session.principal, services, request)
    return RedirectResponse(PATH, HTTPStatus.SEE_OTHER)


def _live(services: Services) -> dict[str, Any]:
    return {"state": services.rehearsal.state()}
