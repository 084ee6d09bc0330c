"""Signing in with a token and out again, and the language of the pages."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from glean.languages.language import LANGUAGES
from glean.service.accounts.access import address_of, prove_token
from glean.service.accounts.sessions import COOKIE, LASTS
from glean.service.problems import ProblemError
from glean.service.web.browser_access import Form, PageRoute, Parts
from glean.service.web.rendering import page
from glean.web.accepted_language import LANGUAGE_COOKIE

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_A_YEAR_S = 365 * 24 * 3600


async def _plain_form(request: Request) -> FormData:
    """Read a form of somebody who isn't signed in: there is no session to ride on."""
    return await request.form(max_files=0, max_fields=5)


PlainForm = Annotated[FormData, Depends(_plain_form)]


@router.get("/login")
def show_login(request: Request, next: str = "/") -> Response:  # noqa: A002 # the address says so
    """Show the form to sign in."""
    return page(request, "login.html", None, next=_ours(next), failed="")


@router.post("/login")
def sign_in(request: Request, services: Parts, form: PlainForm) -> Response:
    """Open a session for whoever shows a token."""
    following = _ours(str(form.get("next", "/")))
    try:
        principal = prove_token(services, str(form.get("token", "")).strip(), address_of(request))
    except ProblemError as problem:
        return page(
            request,
            "login.html",
            None,
            status=problem.status,
            next=following,
            failed=problem.detail,
        )
    answer = RedirectResponse(following, HTTPStatus.SEE_OTHER)
    answer.set_cookie(
        COOKIE,
        services.sessions.open(principal),
        max_age=int(LASTS.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=services.settings.secure_cookies,
    )
    services.audit_log.note(principal.name, "login", address=address_of(request))
    return answer


@router.post("/logout")
def sign_out(request: Request, services: Parts, _: Form) -> Response:
    """End the session."""
    services.sessions.close(request.cookies.get(COOKIE, ""))
    answer = RedirectResponse("/login", HTTPStatus.SEE_OTHER)
    answer.delete_cookie(COOKIE)
    return answer


@router.post("/language")
def choose_language(form: PlainForm) -> Response:
    """Remember the language in the browser."""
    answer = RedirectResponse(_ours(str(form.get("next", "/"))), HTTPStatus.SEE_OTHER)
    wanted = str(form.get("language", ""))
    if wanted in LANGUAGES:
        answer.set_cookie(LANGUAGE_COOKIE, wanted, max_age=_A_YEAR_S, samesite="strict")
    return answer


def _ours(path: str) -> str:
    """Take an address of another site, or one that a header can't hold, for the overview."""
    plain = path.startswith("/") and path.isascii() and path.isprintable()
    return path if plain and not path.startswith(("//", "/\\")) else "/"
