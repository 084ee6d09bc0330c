"""ETags: who has an answer already is told so in place of getting it again."""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

IF_NONE_MATCH: dict[str, Any] = {
    "name": "If-None-Match",
    "in": "header",
    "description": "ETags of what is there already.",
    "schema": {"type": "string"},
}
"""The header, for OpenAPI."""


def etag_of(content: bytes) -> str:
    """Name a content by its hash."""
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def has_already(request: Request, etag: str) -> bool:
    """Whether the one who asks has that content."""
    known = request.headers.get("if-none-match", "")
    return known.strip() == "*" or etag in [
        tag.strip().removeprefix("W/") for tag in known.split(",")
    ]


def answer_unless_known(request: Request, value: BaseModel) -> Response:
    """Answer by a value as JSON with its ETag, or by 304 where it is known."""
    answer = JSONResponse(value.model_dump(mode="json"))
    etag = etag_of(bytes(answer.body))
    if has_already(request, etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": etag})
    answer.headers["ETag"] = etag
    return answer
