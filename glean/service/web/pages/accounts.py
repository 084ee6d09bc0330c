"""Accounts: one's own, and for who may do everything those of others and the audit log."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from glean.service.accounts.scopes import Scope
from glean.service.api import tokens as api
from glean.service.services import Services
from glean.service.web.browser_access import AdminBrowser, Browser, Form, PageRoute, Parts
from glean.service.web.labels import scope_words
from glean.service.web.rendering import page
from glean.web.accepted_language import language_for

router = APIRouter(route_class=PageRoute, include_in_schema=False)

LINES_SHOWN = 100


@router.get("/accounts")
def show(request: Request, session: Browser, services: Parts) -> Response:
    """Show them."""
    return _shown(request, session, services)


@router.post("/accounts")
def create(request: Request, session: AdminBrowser, services: Parts, form: Form) -> Response:
    """Make a token and show it, this once."""
    told = {name: str(form.get(name, "")).strip() for name in ("name", "scope", "days")}
    body = api.NewToken.model_validate({key: text for key, text in told.items() if text})
    made = api.create_token(body, session.principal, services, request)
    return _shown(request, session, services, made=made.token)


@router.post("/accounts/{token_id}/revoke")
def revoke(
    token_id: str, session: AdminBrowser, services: Parts, request: Request, _: Form
) -> Response:
    """End a token."""
    api.revoke_token(token_id, session.principal, services, request)
    return RedirectResponse("/accounts", HTTPStatus.SEE_OTHER)


def _shown(request: Request, session: Browser, services: Services, made: str = "") -> Response:
    admin = session.principal.scope.covers(Scope.ADMIN)
    return page(
        request,
        "accounts.html",
        session,
        made=made,
        tokens=services.tokens.all() if admin else None,
        audit=services.audit_log.latest(before=None, limit=LINES_SHOWN) if admin else [],
        scope_words=scope_words(language_for(request)),
    )
