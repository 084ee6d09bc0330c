"""What lies behind the last tab: a list of pages, and the languages."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from glean.shop.web.menu import MORE
from glean.shop.web.rendering import page

router = APIRouter()


@router.get("/more")
def show_more(request: Request) -> Response:
    """Show the list."""
    return page(request, "more.html", entries=MORE)
