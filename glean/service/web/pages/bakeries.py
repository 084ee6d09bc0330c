"""Bakeries: who took part of late, when each was there last, and how it stands."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from glean.languages.vocabulary import BAKERIES
from glean.service.runs.client_states import counted
from glean.service.runs.known_bakeries import KnownBakery
from glean.service.web.browser_access import Browser, PageRoute, Parts
from glean.service.web.labels import state_words
from glean.service.web.rendering import page
from glean.web.accepted_language import language_for
from glean.workloads import vocabulary_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)

MANY = 20
"""From so many on there is a field to find one by its name."""


@router.get("/bakeries")
def show(request: Request, session: Browser, services: Parts, name: str = "") -> Response:
    """Show them, those that need a look first; only those whose name has a word in it."""
    every = services.bakeries.all()
    word = name.strip().casefold()
    found = sorted((one for one in every if word in one.name.casefold()), key=_by_need)
    language = language_for(request)
    return page(
        request,
        "bakeries.html",
        session,
        some_bake=any(vocabulary_of(one.last_run.row.workload) == BAKERIES for one in found),
        bakeries=[(one, services.score_of(one, language.code)) for one in found],
        counts=counted([one.standing for one in every]),
        searched=bool(word) or len(every) > MANY,
        name=name.strip(),
        state_words=state_words(language),
    )


def _by_need(bakery: KnownBakery) -> tuple[int, bool]:
    return -bakery.days_missing, not bakery.standing.amiss
