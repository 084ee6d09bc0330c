"""Files that pages load: each under a hash of its content, compressed, and kept for good."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections.abc import Callable, Mapping
from functools import cache
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path

from fastapi import Request, Response

_FOR_EVER = "public, max-age=31536000, immutable"


class StaticFiles:
    """The files of an application.

    Parameters
    ----------
    find : callable
        Gives name and path of each; called once, when the first is asked for.
    """

    def __init__(self, find: Callable[[], Mapping[str, Path]]) -> None:
        self._found = cache(find)
        self.url_of = cache(self._url_of)
        self._compressed = cache(self._compress)

    def __contains__(self, name: str) -> bool:
        return name in self._found()

    def answer(self, name: str, request: Request) -> Response:
        """Give a file that there is; the browser keeps it."""
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        headers = {"Cache-Control": _FOR_EVER, "Vary": "Accept-Encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            content, headers["Content-Encoding"] = self._compressed(name), "gzip"
        else:
            content = self._found()[name].read_bytes()
        return Response(content, HTTPStatus.OK, headers, media_type=kind)

    def _url_of(self, name: str) -> str:
        """Give the address of a file, which changes with its content."""
        digest = hashlib.sha256(self._found()[name].read_bytes()).hexdigest()[:16]
        return f"/static/{digest}/{name}"

    def _compress(self, name: str) -> bytes:
        return gzip.compress(self._found()[name].read_bytes(), mtime=0)


def files_in(folder: Path) -> dict[str, Path]:
    """Name the files of a folder."""
    return {path.name: path for path in folder.iterdir() if path.is_file()}


def file_of_package(package: str, inside: str) -> Path:
    """Find a file of an installed package, without importing it."""
    spec = find_spec(package)
    assert spec is not None, f"{package} is a dependency"
    assert spec.submodule_search_locations is not None, f"{package} is a package"
    return Path(spec.submodule_search_locations[0]) / inside
