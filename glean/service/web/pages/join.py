"""The page that an invitation's link leads to: it says what to type, and sends nothing anywhere."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from glean.federation.node.member_paths import REGISTRATION
from glean.service.membership.facts import read_facts
from glean.service.membership.federation import Federation
from glean.service.membership.inviting import join_command
from glean.service.web.browser_access import PageRoute
from glean.service.web.rendering import page

INSTALL = "pip install 'glean[shop]'"

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get(REGISTRATION)
def show(request: Request, members: Federation) -> Response:
    """Show it to anybody."""
    name = read_facts(members.folder).name
    return page(request, "join.html", None, name=name, install=INSTALL, command=join_command)
