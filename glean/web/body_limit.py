"""A limit on the bodies of requests: what is larger is refused before it is all there."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

MEGABYTE = 2**20


class _TooLargeError(Exception):
    pass


class BodyLimit:
    """Refuses requests with larger bodies than may be.

    Parameters
    ----------
    app : ASGIApp
        The application.
    limit_mb : callable
        Gives the limit of a path, MB.
    refuse : callable
        Makes the answer to what is larger, of that limit.
    """

    def __init__(
        self, app: ASGIApp, *, limit_mb: Callable[[str], float], refuse: Callable[[float], ASGIApp]
    ) -> None:
        self._app = app
        self._limit_mb = limit_mb
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, unless its body is too large."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit_mb = self._limit_mb(scope["path"])
        refusal = self._refuse(limit_mb)
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
