"""Members of the federation: who is joined, invited, missing or shut out; and inviting them."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from glean.service.accounts.scopes import Scope
from glean.service.api import invitations as invitations_api
from glean.service.api import members as members_api
from glean.service.membership.federation import Federation
from glean.service.membership.invitations import DAYS, MOST_DAYS
from glean.service.membership.member_states import counted, standings
from glean.service.services import Services
from glean.service.superlink.superlink_state import WORDS
from glean.service.web.browser_access import AdminBrowser, Browser, Form, PageRoute, Parts
from glean.service.web.labels import member_words
from glean.service.web.rendering import page
from glean.web.accepted_language import language_for
from glean.web.qr_code import qr_svg

PATH = "/members"

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get(PATH)
def show(request: Request, session: Browser, services: Parts, members: Federation) -> Response:
    """Show them."""
    return _shown(request, session, services, members)


@router.post(f"{PATH}/invite")
def invite(
    request: Request, session: AdminBrowser, services: Parts, members: Federation, form: Form
) -> Response:
    """Invite a bakery and show its link, this once."""
    told = {name: str(form.get(name, "")).strip() for name in ("bakery", "days")}
    body = invitations_api.NewInvitation.model_validate(
        {key: text for key, text in told.items() if text}
        | {"replaces_key": bool(form.get("replaces_key"))}
    )
    made = invitations_api.create_invitation(body, session.principal, services, members, request)
    return _shown(request, session, services, members, made=made)


@router.post(f"{PATH}/invitations/{{invitation_id}}/withdraw")
def withdraw(
    invitation_id: str, request: Request, session: AdminBrowser, services: Parts, _: Form
) -> Response:
    """Withdraw an invitation."""
    invitations_api.withdraw_invitation(invitation_id, session.principal, services, request)
    return RedirectResponse(PATH, HTTPStatus.SEE_OTHER)


@router.post(f"{PATH}/{{name}}/shut-out")
def shut_out(
    name: str,
    request: Request,
    session: AdminBrowser,
    services: Parts,
    members: Federation,
    _: Form,
) -> Response:
    """Let a member take part no longer."""
    members_api.shut_out(name, session.principal, services, members, request)
    return RedirectResponse(PATH, HTTPStatus.SEE_OTHER)


@router.post(f"{PATH}/{{name}}/let-in")
def let_in(
    name: str,
    request: Request,
    session: AdminBrowser,
    services: Parts,
    members: Federation,
    _: Form,
) -> Response:
    """Let it take part again."""
    members_api.let_in(name, session.principal, services, members, request)
    return RedirectResponse(PATH, HTTPStatus.SEE_OTHER)


def _shown(
    request: Request,
    session: Browser,
    services: Services,
    members: Federation,
    made: invitations_api.MadeInvitation | None = None,
) -> Response:
    found = standings(members, services.invitations)
    return page(
        request,
        "members.html",
        session,
        made=made,
        superlink=services.superlink and services.superlink.state,
        superlink_words=WORDS,
        qr=qr_svg(made.link) if made else "",
        found=found,
        counts=counted(found),
        member_words=member_words(language_for(request)),
        admin=session.principal.scope.covers(Scope.ADMIN),
        days=DAYS,
        most_days=MOST_DAYS,
    )
