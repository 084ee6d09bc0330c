"""Two runs beside each other: settings that differ, curves, what is thrown away, each bakery."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from glean.languages.language import Language
from glean.operations.reports.run_digest import RunDigest
from glean.service.runs.listing import RunFilter, RunOrder, list_rows
from glean.service.runs.status import RunStatus
from glean.service.services import Services
from glean.service.store.tables import RunRow
from glean.service.web.browser_access import Browser, PageRoute, Parts
from glean.service.web.pages.runs import chart_words
from glean.service.web.rendering import page
from glean.web.accepted_language import language_for

router = APIRouter(route_class=PageRoute, include_in_schema=False)

OFFERED = 200

_NO_MATTER = {"output-dir", "resume"}


@router.get("/compare")
def compare(
    request: Request, session: Browser, services: Parts, one: str = "", other: str = ""
) -> Response:
    """Compare two runs, by default the last two that completed."""
    completed = RunFilter((RunStatus.COMPLETED,))
    rows, _ = list_rows(services.database, completed, order=RunOrder.LAST_ENDED, limit=OFFERED)
    if not (one and other) and len(rows) > 1:
        other, one = rows[0].id, rows[1].id
    pair = [services.queue.find(run_id) for run_id in (one, other) if run_id]
    first, second = (*pair, None, None)[:2]
    language = language_for(request)
    digests = [_digest(services, row, language) for row in pair]
    return page(
        request,
        "compare.html",
        session,
        runs=rows,
        one=first,
        other=second,
        differing=_differing(first, second) if first and second else [],
        first_digest=digests[0] if digests else None,
        second_digest=digests[1] if len(digests) > 1 else None,
        pairs=_pairs(*digests) if len(digests) == 2 else [],
        chart_words=chart_words(language, first.workload if first else ""),
    )


def _digest(services: Services, row: RunRow, language: Language) -> RunDigest | None:
    folder = services.queue.run_folder(row)
    done = row.status == RunStatus.COMPLETED and folder is not None
    return services.digests.of(folder, language.code) if done and folder else None


def _differing(one: RunRow, other: RunRow) -> list[tuple[str, Any, Any]]:
    keys = sorted((one.settings.keys() | other.settings.keys()) - _NO_MATTER)
    pairs = [(key, one.settings.get(key, ""), other.settings.get(key, "")) for key in keys]
    return [(key, first, second) for key, first, second in pairs if first != second]


def _pairs(one: RunDigest | None, other: RunDigest | None) -> list[tuple[str, float, float]]:
    """Pair the WAPEs of what each bakery bakes by, or of the shared model, in both runs."""
    if one is None or other is None:
        return []
    names = [name for name in one.by_bakery if name in other.by_bakery]
    found = [(n, _baked_by(one.by_bakery[n]), _baked_by(other.by_bakery[n])) for n in names]
    return [(n, first, second) for n, first, second in found if first and second]


def _baked_by(scores: dict[str, float]) -> float | None:
    return scores.get("chosen", scores.get("federated"))
