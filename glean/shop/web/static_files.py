"""Files that the pages load, from this machine."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

from fastapi import APIRouter, Request, Response

from glean.web.static_files import StaticFiles, files_in

OWN = Path(__file__).parent / "static"

router = APIRouter()
FILES = StaticFiles(lambda: files_in(OWN))


@router.get("/static/{_digest}/{name}")
def get_file(_digest: str, name: str, request: Request) -> Response:
    """Give a file; the browser keeps it."""
    if name not in FILES:
        return Response(status_code=HTTPStatus.NOT_FOUND)
    return FILES.answer(name, request)
