"""Bakeries: who took part of late, when each was there last, and how it stands."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from glean.service.web.browser_access import Browser, PageRoute, Parts
from glean.service.web.labels import state_words
from glean.service.web.rendering import language_for, page

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/bakeries")
def show(request: Request, session: Browser, services: Parts) -> Response:
    """Show them, those that stay away first."""
    found = sorted(services.bakeries.all(), key=lambda one: -one.days_missing)
    language = language_for(request)
    return page(
        request,
        "bakeries.html",
        session,
        bakeries=[(one, services.score_of(one, language.code)) for one in found],
        state_words=state_words(language),
    )
