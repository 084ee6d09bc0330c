"""Versions of the model: which is in production, and putting another one there."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from glean.service.api import models as api
from glean.service.web.browser_access import Browser, Form, PageRoute, Parts, RunningBrowser
from glean.service.web.rendering import page

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/models")
def show(request: Request, session: Browser, services: Parts) -> Response:
    """Show the versions."""
    return page(
        request,
        "models.html",
        session,
        versions=services.models.all(),
        history=services.models.history()[::-1],
    )


@router.post("/models/roll-back")
def roll_back(session: RunningBrowser, services: Parts, request: Request, _: Form) -> Response:
    """Put the version before into production again."""
    api.roll_back(session.principal, services, request)
    return RedirectResponse("/models", HTTPStatus.SEE_OTHER)


@router.post("/models/{model_id}/promote")
def promote(
    model_id: str, session: RunningBrowser, services: Parts, request: Request, _: Form
) -> Response:
    """Put a version into production."""
    api.promote(model_id, session.principal, services, request)
    return RedirectResponse("/models", HTTPStatus.SEE_OTHER)
