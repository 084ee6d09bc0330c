"""Bakeries: who took part of late, when each was there last, and how it stands."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from glean.runs.folder import utc_now
from glean.service.runs.client_states import ClientState, client_standings
from glean.service.runs.listing import RunFilter, RunOrder, list_rows
from glean.service.runs.status import RunStatus
from glean.service.services import Services
from glean.service.web.browser_access import Browser, PageRoute, Parts
from glean.service.web.labels import state_words
from glean.service.web.rendering import language_for, page

router = APIRouter(route_class=PageRoute, include_in_schema=False)

RUNS_LOOKED_AT = 20


@dataclass(frozen=True)
class KnownBakery:
    """A bakery that took part in a run of late.

    Parameters
    ----------
    name : str
        Its name.
    state : ClientState
        How it stands in the last run that it took part in.
    why : str
        In a sentence; "" where nothing is amiss.
    last_seen : str
        When it was there last, UTC.
    run : str
        Id of that run.
    wape : float or None
        Of what it bakes by on that run's test days; None where it keeps that at home.
    """

    name: str
    state: ClientState
    why: str
    last_seen: str
    run: str
    wape: float | None


@router.get("/bakeries")
def show(request: Request, session: Browser, services: Parts) -> Response:
    """Show them."""
    words = state_words(language_for(request))
    return page(
        request, "bakeries.html", session, bakeries=known_bakeries(services), state_words=words
    )


def known_bakeries(services: Services) -> list[KnownBakery]:
    """Give the bakeries of the last runs, in order of their names."""
    rows, _ = list_rows(services.database, RunFilter(), order=RunOrder.NEWEST, limit=RUNS_LOOKED_AT)
    found: dict[str, KnownBakery] = {}
    for row in rows:
        folder = services.queue.run_folder(row)
        if folder is None:
            continue
        completed = row.status == RunStatus.COMPLETED
        standings = client_standings(folder / "events.jsonl")
        new = [one for one in standings if one.name not in found]
        digest = services.digests.of(folder) if completed and new else None
        for one in new:
            scores = digest.by_bakery.get(one.name, {}) if digest else {}
            found[one.name] = KnownBakery(
                name=one.name,
                state=one.state,
                why=one.why,
                last_seen=row.ended_at or utc_now(),
                run=row.id,
                wape=scores.get("chosen", scores.get("federated")),
            )
    return [found[name] for name in sorted(found)]
