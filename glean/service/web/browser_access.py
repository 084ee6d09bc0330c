"""Pages and who may see them: without a session there is the one to sign in; errors are pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData

from glean.errors import GleanError
from glean.service.accounts.access import check_csrf
from glean.service.accounts.scopes import Scope
from glean.service.accounts.sessions import COOKIE, CSRF_FIELD, BrowserSession
from glean.service.problems import ProblemError
from glean.service.services import Services, services_of
from glean.service.store.database import reason_of
from glean.service.web.rendering import page


class SignedOutError(Exception):
    """Nobody is signed in."""


class PageRoute(APIRoute):
    """A route whose errors are pages."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the route's own handler."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except SignedOutError:
                here = quote(request.url.path if request.method == "GET" else "/")
                return RedirectResponse(f"/login?next={here}", HTTPStatus.SEE_OTHER)
            except ProblemError as problem:
                lines = [item.detail for item in problem.errors]
                return await _error_page(request, problem.status, problem.detail, lines)
            except (RequestValidationError, ValidationError) as error:
                lines = [f"{item['loc'][-1]}: {item['msg']}" for item in error.errors()]
                return await _error_page(request, HTTPStatus.UNPROCESSABLE_ENTITY, "", lines)
            except GleanError as error:
                lines = str(error).splitlines()
                return await _error_page(request, HTTPStatus.UNPROCESSABLE_ENTITY, "", lines)
            except SQLAlchemyError as error:
                return await _error_page(
                    request, HTTPStatus.SERVICE_UNAVAILABLE, reason_of(error), []
                )

        return answer


async def _error_page(
    request: Request, status: HTTPStatus, detail: str, lines: list[str]
) -> Response:
    try:
        session = await run_in_threadpool(_session_of, request)
    except SQLAlchemyError:
        session = None
    return page(request, "error.html", session, status=status, detail=detail, lines=lines)


def _session_of(request: Request) -> BrowserSession | None:
    cookie = request.cookies.get(COOKIE)
    return services_of(request).sessions.find(cookie) if cookie else None


def session_of(request: Request) -> BrowserSession:
    """Find who is signed in.

    Raises
    ------
    SignedOutError
        Nobody.
    """
    session = _session_of(request)
    if session is None:
        raise SignedOutError
    request.state.principal = session.principal  # for the log
    return session


def session_with(scope: Scope) -> Callable[[BrowserSession], BrowserSession]:
    """Make a dependency that refuses whoever lacks a scope."""

    def check(session: Annotated[BrowserSession, Depends(session_of)]) -> BrowserSession:
        if not session.principal.scope.covers(scope):
            raise ProblemError(
                HTTPStatus.FORBIDDEN,
                f"{session.principal.name!r} may {session.principal.scope.meaning}",
            )
        return session

    return check


async def read_form(
    request: Request, session: Annotated[BrowserSession, Depends(session_of)]
) -> AsyncIterator[FormData]:
    """Read a form that one of our pages sent; its files are closed after the answer.

    Raises
    ------
    ProblemError
        It doesn't repeat the word of the session.
    """
    async with request.form(max_files=1, max_fields=500) as form:
        check_csrf(session, str(form.get(CSRF_FIELD, "")))
        yield form


Browser = Annotated[BrowserSession, Depends(session_of)]
RunningBrowser = Annotated[BrowserSession, Depends(session_with(Scope.RUN))]
AdminBrowser = Annotated[BrowserSession, Depends(session_with(Scope.ADMIN))]
Form = Annotated[FormData, Depends(read_form)]
Parts = Annotated[Services, Depends(services_of)]
