"""Files as answers: whole, a range of them, or that they are known; what is wrong is a problem."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import FileResponse, Response
from starlette.types import Message, Receive, Scope, Send

from glean.service.api.conditional import IF_NONE_MATCH, has_already
from glean.service.problems import answer, responses

_ANYTHING: dict[str, Any] = {"*/*": {}}

FILE_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The whole file.", "content": _ANYTHING},
    206: {"description": "The part that a Range asked for.", "content": _ANYTHING},
    304: {"description": "Not changed: it has the ETag of If-None-Match."},
    **responses(400, 416),
}
"""What a route that gives a file answers with, for OpenAPI."""

RANGE: dict[str, Any] = {
    "name": "Range",
    "in": "header",
    "description": "Which bytes; by default all.",
    "schema": {"type": "string"},
    "example": "bytes=0-999",
}

FILE_PARAMETERS: dict[str, Any] = {"parameters": [IF_NONE_MATCH, RANGE]}


class _File(FileResponse):
    """A file whose range may be refused, by problem details in place of plain text."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused: Message | None = None

        async def watch(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and message["status"] >= 400:
                refused = message
            if refused is None:
                await send(message)

        await super().__call__(scope, receive, watch)
        if refused is not None:
            status = HTTPStatus(refused["status"])
            size = self.headers["content-length"]
            problem = answer(
                status,
                f"the header Range asks for what the file doesn't have; it has {size} bytes: "
                "wanted a range like bytes=0-999",
                headers={"Content-Range": f"bytes */{size}"} if status == 416 else None,
            )
            await problem(scope, receive, send)


def answer_file(request: Request, path: Path) -> Response:
    """Answer by a file or by what a Range asks for of it, with an ETag; by 304 where it is known.

    Parameters
    ----------
    request : Request
        Whose headers say what is wanted and what is known.
    path : Path
        A file that there is.
    """
    found = _File(path, stat_result=path.stat(), filename=path.name)
    if "range" not in request.headers and has_already(request, found.headers["etag"]):
        etag = {"ETag": found.headers["etag"]}
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=etag)
    return found
