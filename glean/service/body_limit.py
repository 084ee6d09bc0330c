"""A limit on the bodies of requests: what is larger is refused before it is all there."""

from __future__ import annotations

from http import HTTPStatus

from starlette.types import ASGIApp

from glean.service.problems import answer
from glean.web import body_limit

JSON_MB = 20
"""For all but uploads, which are written to the disk as they come."""


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
    """

    def __init__(self, app: ASGIApp, *, uploads: tuple[str, ...], upload_mb: int) -> None:
        super().__init__(
            app,
            limit_mb=lambda path: upload_mb if path in uploads else JSON_MB,
            refuse=_refusal,
        )


def _refusal(limit_mb: int) -> ASGIApp:
    return answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"found a body of more than {limit_mb} MB")
