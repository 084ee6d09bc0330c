"""Files that pages load: ours, the library of charts and that of the API's page, from this machine.

Each is served under a hash of its content, compressed, and kept by the browser for good.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from functools import cache
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, Request, Response

from glean.service.problems import not_found

OWN = Path(__file__).parent / "static"

router = APIRouter(include_in_schema=False)

_FOR_EVER = "public, max-age=31536000, immutable"


def _of_package(package: str, inside: str) -> Path:
    """Find a file of an installed package, without importing it."""
    spec = find_spec(package)
    assert spec is not None, f"{package} is a dependency"
    assert spec.submodule_search_locations is not None, f"{package} is a package"
    return Path(spec.submodule_search_locations[0]) / inside


@cache
def _files() -> dict[str, Path]:
    own = {path.name: path for path in OWN.iterdir() if path.is_file()}
    return own | {
        "plotly.js": _of_package("plotly", "package_data/plotly.min.js"),
        "swagger-ui.js": _of_package("fastapi_offline", "static/swagger-ui-bundle.js"),
        "swagger-ui.css": _of_package("fastapi_offline", "static/swagger-ui.css"),
    }


@cache
def url_of(name: str) -> str:
    """Give the address of a file, which changes with its content."""
    digest = hashlib.sha256(_files()[name].read_bytes()).hexdigest()[:16]
    return f"/static/{digest}/{name}"


@cache
def _compressed(name: str) -> bytes:
    return gzip.compress(_files()[name].read_bytes(), mtime=0)


@router.get("/static/{_digest}/{name}")
def get_file(_digest: str, name: str, request: Request) -> Response:
    """Give a file; the browser keeps it."""
    if name not in _files():
        raise not_found("such file")
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    headers = {"Cache-Control": _FOR_EVER, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        content, headers["Content-Encoding"] = _compressed(name), "gzip"
    else:
        content = _files()[name].read_bytes()
    return Response(content, HTTPStatus.OK, headers, media_type=kind)
