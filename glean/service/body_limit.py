"""A limit on the bodies of requests: what is larger is refused before it is all there."""

from __future__ import annotations

from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glean.service.problems import answer
from glean.service.settings import MEGABYTE

JSON_MB = 20
"""For all but uploads, which are written to the disk as they come."""


class _TooLargeError(Exception):
    pass


class BodyLimit:
    """Refuses requests with larger bodies than may be.

    Parameters
    ----------
    app : ASGIApp
        The application.
    uploads : tuple of str
        Paths of uploads, which have their own limit.
    upload_mb : int
        That limit, MB.
    """

    def __init__(self, app: ASGIApp, *, uploads: tuple[str, ...], upload_mb: int) -> None:
        self._app = app
        self._uploads = uploads
        self._upload_mb = upload_mb

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, unless its body is too large."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit_mb = self._upload_mb if scope["path"] in self._uploads else JSON_MB
        refusal = answer(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"found a body of more than {limit_mb} MB"
        )
        if _announced(scope) > limit_mb * MEGABYTE:
            await refusal(scope, receive, send)
            return
        received, begun = 0, False

        async def count() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit_mb * MEGABYTE:
                raise _TooLargeError
            return message

        async def note(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, count, note)
        except _TooLargeError:
            if not begun:
                await refusal(scope, receive, send)


def _announced(scope: Scope) -> int:
    text = dict(scope["headers"]).get(b"content-length", b"")
    return int(text) if text.isdigit() else 0
