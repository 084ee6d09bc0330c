"""Who may speak to the page: nobody by another site's hand; other machines by a token only.

A browser sends any site's requests to 127.0.0.1. So the name that it believes to speak to must be
one of ours (else a site could have its own name lead here), and a form must come from our pages.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable
from http import HTTPStatus

from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

COOKIE = "glean-shop"
ENTER = "/enter/"
READING = frozenset({"GET", "HEAD"})

_A_YEAR_S = 365 * 24 * 3600


class Access:
    """Lets requests through to an application.

    Parameters
    ----------
    app : ASGIApp
        The application.
    origins : iterable of str
        By which addresses its pages are reached, like "http://127.0.0.1:8701".
    token : callable, optional
        Gives what a browser shows once to be let in for good; None where only this machine reaches
        it.
    """

    def __init__(
        self, app: ASGIApp, *, origins: Iterable[str], token: Callable[[], str] | None = None
    ) -> None:
        self._app = app
        self._origins = frozenset(origins)
        self._hosts = frozenset(origin.partition("://")[2] for origin in self._origins)
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does, or with nothing at all."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        await (self._app if refusal is None else refusal)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        if scope["type"] != "http":
            return Response(status_code=HTTPStatus.NOT_FOUND)
        asked = HTTPConnection(scope)
        path: str = scope["path"]
        if self._token is not None:
            token = self._token()
            if scope["method"] == "GET" and _is_token(path, token):
                return _welcome(token)
            if not _is_known(asked, token):
                return Response(status_code=HTTPStatus.NOT_FOUND)
        if asked.headers.get("host", "").lower() not in self._hosts:
            return Response(status_code=HTTPStatus.MISDIRECTED_REQUEST)
        if scope["method"] not in READING and not self._is_own(asked):
            return Response(status_code=HTTPStatus.FORBIDDEN)
        return None

    def _is_own(self, asked: HTTPConnection) -> bool:
        """Whether a form comes from our own page: browsers say so, and pages can't change it."""
        origin = asked.headers.get("origin", "").lower()
        if origin:
            return origin in self._origins
        return asked.headers.get("sec-fetch-site", "") == "same-origin"


def _is_token(path: str, token: str) -> bool:
    shown = path.removeprefix(ENTER) if path.startswith(ENTER) else ""
    return hmac.compare_digest(shown.encode(), token.encode())


def _is_known(asked: HTTPConnection, token: str) -> bool:
    shown = asked.cookies.get(COOKIE, "")
    return hmac.compare_digest(shown.encode(), _cookie_of(token).encode())


def _cookie_of(token: str) -> str:
    """Give what a browser keeps: it follows from the token, and doesn't tell it."""
    return hmac.new(token.encode(), b"glean shop cookie", hashlib.sha256).hexdigest()


def _welcome(token: str) -> Response:
    answer = RedirectResponse("/", HTTPStatus.SEE_OTHER, {"Referrer-Policy": "no-referrer"})
    answer.set_cookie(
        COOKIE,
        _cookie_of(token),
        max_age=_A_YEAR_S,
        httponly=True,
        secure=True,
        # A code is scanned by another program, from which "strict" may send nothing.
        samesite="lax",
    )
    return answer
