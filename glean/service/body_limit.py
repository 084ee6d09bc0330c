"""A limit on the bodies of requests: what is larger is refused before it is all there."""

from __future__ import annotations

from http import HTTPStatus

from starlette.types import ASGIApp

from glean.service.problems import answer
from glean.web import body_limit

JSON_MB = 20
"""For all but uploads, which are written to the disk as they come."""

SMALL_MB = 1 / 64
"""For what anybody may send, without a token: 16 KB."""


class BodyLimit(body_limit.BodyLimit):
    """Refuses requests with larger bodies than may be.

    Parameters
    ----------
    app : ASGIApp
        The application.
    uploads : tuple of str
        Paths of uploads, which have their own limit.
    upload_mb : int
        That limit, MB.
    small : tuple of str
        Paths to which anybody may send something.
    """

    def __init__(
        self, app: ASGIApp, *, uploads: tuple[str, ...], upload_mb: int, small: tuple[str, ...] = ()
    ) -> None:
        limits = dict.fromkeys(uploads, float(upload_mb)) | dict.fromkeys(small, SMALL_MB)
        super().__init__(
            app, limit_mb=lambda path: limits.get(path, float(JSON_MB)), refuse=_refusal
        )


def _refusal(limit_mb: float) -> ASGIApp:
    size = f"{limit_mb:g} MB" if limit_mb >= 1 else f"{limit_mb * 1024:g} KB"
    return answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"found a body of more than {size}")
