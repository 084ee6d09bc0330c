"""The overview: what runs, what waits, what ended last, and what needs a hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response

from glean.languages.catalogues import translatable
from glean.languages.language import Language
from glean.runs.folder import INTERRUPTED
from glean.service.runs.client_states import ClientState, client_standings
from glean.service.runs.listing import RunFilter, RunOrder, list_rows
from glean.service.runs.status import ACTIVE, ENDED, RunStatus
from glean.service.services import Services
from glean.service.store.tables import RunRow
from glean.service.web.browser_access import Browser, PageRoute, Parts
from glean.service.web.rendering import page
from glean.web.accepted_language import language_for

router = APIRouter(route_class=PageRoute, include_in_schema=False)

SHOWN = 5

PART_NAMES = {
    "database": translatable("Database"),
    "results": translatable("Results"),
    "broker": translatable("Message broker"),
    "storage": translatable("Storage"),
    "registry": translatable("Model registry"),
    "workers": translatable("Workers"),
}
"""What people call the parts of a service whose health is checked."""


@dataclass(frozen=True)
class Hand:
    """Something that needs a hand.

    Parameters
    ----------
    text : str
        What, in a sentence.
    run : str
        Of which run; "" of none.
    """

    text: str
    run: str = ""


@router.get("/")
def show(request: Request, session: Browser, services: Parts) -> Response:
    """Show the overview."""
    return page(request, "overview.html", session, **_live(services, language_for(request)))


@router.get("/overview/live")
def show_live(request: Request, session: Browser, services: Parts) -> Response:
    """Show the part of it that changes."""
    return page(request, "overview_live.html", session, **_live(services, language_for(request)))


def _live(services: Services, language: Language) -> dict[str, Any]:
    running = _rows(services, ACTIVE, RunOrder.OLDEST)
    ended = _rows(services, ENDED, RunOrder.LAST_ENDED)[:SHOWN]
    latest = next((row for row in ended if row.status == RunStatus.COMPLETED), None)
    folder = None if latest is None else services.queue.run_folder(latest)
    # The page doesn't wait for it: it has it with its next look, seconds later.
    digest = None if folder is None else services.digests.known(folder, language.code)
    return {
        "latest": latest,
        "latest_lead": digest.lead if digest else (),
        "running": running,
        "queued": _rows(services, (RunStatus.QUEUED,), RunOrder.OLDEST),
        "ended": ended,
        "hands": _hands(services, running, ended, language),
    }


def _rows(services: Services, statuses: tuple[RunStatus, ...], order: RunOrder) -> list[RunRow]:
    rows, _ = list_rows(services.database, RunFilter(statuses), order=order, limit=50)
    return rows


def _hands(
    services: Services, running: list[RunRow], ended: list[RunRow], language: Language
) -> list[Hand]:
    _ = language.gettext
    problems = services.health.look().problems
    found = [
        Hand(": ".join((_(PART_NAMES.get(part, part)), problem)))
        for part, problem in problems.items()
        if problem
    ]
    found += [
        Hand(": ".join((_("failed"), row.reason)), row.id)
        for row in ended
        if row.status == RunStatus.FAILED and row.reason != INTERRUPTED
    ]
    for row in running:
        folder = services.queue.run_folder(row)
        standings = [] if folder is None else client_standings(folder / "events.jsonl")
        missing = [one.name for one in standings if one.state is ClientState.MISSING]
        if missing:
            found.append(Hand(": ".join((_("missing"), ", ".join(missing))), row.id))
    return found + _absences(services, language)


def _absences(services: Services, language: Language) -> list[Hand]:
    found = [
        one for one in services.bakeries.all() if one.days_missing >= services.settings.missing_days
    ]
    return [
        Hand(
            language.translate_count(
                "{bakery} is missing for a day.",
                "{bakery} is missing for {count} days.",
                one.days_missing,
                bakery=one.name,
            ),
            one.last_run.row.id,
        )
        for one in found
    ]
