"""The description of the API, to read and to try."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from glean.service.web.browser_access import Browser, PageRoute
from glean.service.web.rendering import page

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/docs")
def show(request: Request, session: Browser) -> Response:
    """Show it."""
    return page(request, "docs.html", session)
