"""The mesh of the peer whose home the service was named: who is in it, who reaches whom."""

from __future__ import annotations

import datetime as dt

from fastapi import APIRouter, Request, Response

from glean.service.mesh_home import MeshStatusOf
from glean.service.web.browser_access import Browser, PageRoute
from glean.service.web.labels import peer_words
from glean.service.web.mesh_graph import MOST_RELAY_LINES, mesh_graph
from glean.service.web.rendering import page
from glean.web.accepted_language import language_for

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/mesh")
def show(request: Request, session: Browser, found: MeshStatusOf) -> Response:
    """Show it, as a drawing and as tables."""
    return page(
        request,
        "mesh.html",
        session,
        found=found,
        topology=found.topology,
        graph=mesh_graph(found.topology),
        most_relay_lines=MOST_RELAY_LINES,
        peer_words=peer_words(language_for(request)),
        iso=_iso,
    )


def _iso(at: float) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).isoformat(timespec="seconds")
