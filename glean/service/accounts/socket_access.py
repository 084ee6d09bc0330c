"""Who opens a WebSocket, and whether it may watch."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import WebSocket

from glean.service.accounts.access import address_of, prove_token
from glean.service.accounts.sessions import COOKIE
from glean.service.problems import ProblemError
from glean.service.services import Services

_BEARER = "bearer "


def may_watch(services: Services, socket: WebSocket) -> bool:
    """Whether whoever opens a WebSocket may read: by a token or, of our own pages, a session.

    A browser sends its cookie with whatever another site's script opens, but names that site.
    """
    given = socket.headers.get("authorization", "")
    if given.lower().startswith(_BEARER):
        try:
            prove_token(services, given[len(_BEARER) :], address_of(socket))
        except ProblemError:
            return False
        return True
    cookie = socket.cookies.get(COOKIE)
    same_site = urlsplit(socket.headers.get("origin", "")).netloc == socket.headers.get("host")
    return bool(cookie and same_site and services.sessions.find(cookie))
