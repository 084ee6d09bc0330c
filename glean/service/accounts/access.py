"""Who makes a request, and whether it may: what routes declare that they need."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import HTTPConnection

from glean.service.accounts.scopes import Scope
from glean.service.accounts.sessions import COOKIE, CSRF_HEADER, BrowserSession
from glean.service.accounts.tokens import Principal
from glean.service.problems import ProblemError
from glean.service.services import Services, services_of

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}

_bearer = HTTPBearer(auto_error=False, description="A token, like glean_abcdefgh_...")
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="A browser's session.")


def address_of(connection: HTTPConnection) -> str:
    """Give the address that a request comes from."""
    return connection.client.host if connection.client else ""


def principal_of(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    cookie: Annotated[str | None, Depends(_cookie)],
    services: Annotated[Services, Depends(services_of)],
) -> Principal:
    """Find out who makes a request, by its token or its browser's session.

    Raises
    ------
    ProblemError
        Nobody that is known; or a form of another site made the browser send it.
    """
    if credentials is not None:
        principal = prove_token(services, credentials.credentials, address_of(request))
        request.state.principal = principal  # for the log
        return principal
    session = services.sessions.find(cookie) if cookie else None
    if session is None:
        raise ProblemError(
            HTTPStatus.UNAUTHORIZED,
            "found no token; wanted a header like Authorization: Bearer glean_...",
            headers={"WWW-Authenticate": "Bearer"},
        )
    if request.method not in SAFE_METHODS:
        check_csrf(session, request.headers.get(CSRF_HEADER, ""))
    request.state.principal = session.principal
    return session.principal


def prove_token(services: Services, text: str, address: str) -> Principal:
    """Find out whose a token is, unless the address has shown too many wrong ones.

    Raises
    ------
    ProblemError
        It is nobody's, or the address has to wait.
    """
    wait_s = services.attempts.wait_s(address)
    if wait_s:
        raise ProblemError(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"too many wrong tokens came from this address: try again in {wait_s} s",
            headers={"Retry-After": str(wait_s)},
        )
    principal = services.tokens.prove(text)
    if principal is None:
        services.attempts.note(address)
        services.audit_log.note("", "login.refused", address=address)
        raise ProblemError(
            HTTPStatus.UNAUTHORIZED,
            "the token isn't known, or it is no longer valid: ask who runs this service for one",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return principal


def check_csrf(session: BrowserSession, word: str) -> None:
    """Refuse what a form of another site may have made a browser send.

    Raises
    ------
    ProblemError
        The session's word isn't repeated.
    """
    if not session.allows(word):
        raise ProblemError(
            HTTPStatus.FORBIDDEN, "the page that sent this is too old: load it again and repeat"
        )


def needs(scope: Scope) -> Callable[[Principal], Principal]:
    """Make a dependency that refuses whoever lacks a scope."""

    def check(principal: Annotated[Principal, Depends(principal_of)]) -> Principal:
        if not principal.scope.covers(scope):
            raise ProblemError(
                HTTPStatus.FORBIDDEN,
                f"the token {principal.name!r} may {principal.scope.meaning}; wanted one with the "
                f"scope {scope.value}",
            )
        return principal

    return check


Reader = Annotated[Principal, Depends(needs(Scope.READ))]
Runner = Annotated[Principal, Depends(needs(Scope.RUN))]
Admin = Annotated[Principal, Depends(needs(Scope.ADMIN))]
Parts = Annotated[Services, Depends(services_of)]
