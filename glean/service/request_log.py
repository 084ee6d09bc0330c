"""A line of the log for each request, and an id by which its other lines are found."""

from __future__ import annotations

import logging
import re
import secrets
import time
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glean.observability.log_context import begin_log_fields

LOG = logging.getLogger("glean.service")

HEADER = "X-Request-ID"

OFTEN_ASKED = ("/healthz", "/readyz", "/metrics", "/static/")
"""Machines ask these every few seconds; they are told only where they go wrong."""

_SANE = re.compile(r"[\w.:-]{1,64}", re.ASCII)


class RequestLog:
    """Gives each request an id, which its answer and its log lines have.

    Parameters
    ----------
    app : ASGIApp
        The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _id_of(Headers(scope=scope))
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        began = time.monotonic()
        # To the end of its task: what goes wrong in the application Uvicorn logs, outside of it.
        begin_log_fields(request=request_id)
        scope.setdefault("state", {})["request_id"] = request_id
        try:
            await self._app(scope, receive, send_with_id)
        finally:
            if LOG.isEnabledFor(logging.INFO):
                _log(scope, status or HTTPStatus.INTERNAL_SERVER_ERROR, time.monotonic() - began)


def _id_of(headers: Headers) -> str:
    """Take the one that a proxy gave it, else make one."""
    given = headers.get(HEADER, "")
    return given if _SANE.fullmatch(given) else secrets.token_hex(8)


def _log(scope: Scope, status: int, seconds: float) -> None:
    """Say what was asked and answered: the path without its query, which may hold anything."""
    path = scope["path"]
    wrong = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    if not wrong and path.startswith(OFTEN_ASKED):
        return
    state = scope.get("state", {})
    principal = state.get("principal")
    who = {} if principal is None else {"user": principal.name, "token": principal.prefix}
    fields = {
        "method": scope["method"],
        "path": path,
        "status": status,
        "seconds": round(seconds, 4),
    }
    level = logging.WARNING if wrong else logging.INFO
    LOG.log(level, "%s %s %d", scope["method"], path, status, extra=fields | who)
