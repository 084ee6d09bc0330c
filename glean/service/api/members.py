"""Members by REST: how each stands; shut out, and let in again."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field

from glean.service.accounts.access import Admin, Parts, Reader, address_of
from glean.service.membership.federation import Federation
from glean.service.membership.member_states import MemberStanding, MemberState, standings
from glean.service.membership.members import MemberThereError, NoMemberError
from glean.service.problems import ProblemError, responses

router = APIRouter(prefix="/api/v1/members", tags=["federation"], responses=responses(422, 503))

Name = Annotated[str, Path(max_length=100, description="Name of a member.")]


class FederationMember(BaseModel):
    """A bakery of the federation, or one that was invited."""

    name: str = Field(examples=["Rue Mouffetard"])
    state: MemberState = Field(
        description="Whether it is there; was invited and didn't come yet (waiting); wasn't heard "
        "of for five minutes (missing); said that it leaves (left); or may take part no longer "
        "(shut_out)."
    )
    fingerprint: str = Field(description="Of its signing key; empty while it has none.")
    since: str = Field(description="When it joined, was invited or shut out, UTC.")
    last_heard: str | None = Field(description="When it was heard of last, UTC.")
    invitation: str | None = Field(description="Id of the invitation that it can use now.")

    @classmethod
    def of(cls, one: MemberStanding) -> FederationMember:
        """Write one down."""
        return cls(
            name=one.name,
            state=one.state,
            fingerprint=one.fingerprint,
            since=one.since,
            last_heard=one.last_heard.isoformat(timespec="seconds") if one.last_heard else None,
            invitation=one.invitation.id if one.invitation else None,
        )


class FederationMembers(BaseModel):
    """All of them, in order of their names."""

    members: list[FederationMember]
    head: str = Field(description="Head of the log of keys; every member has to have the same.")


@router.get("")
def list_members(_: Reader, services: Parts, members: Federation) -> FederationMembers:
    """List the bakeries that joined, wait, are missing or are shut out."""
    found = standings(members, services.invitations)
    return FederationMembers(
        members=[FederationMember.of(one) for one in found], head=members.log().head
    )


@router.post("/{name}/shut-out", status_code=HTTPStatus.NO_CONTENT, responses=responses(404, 409))
def shut_out(
    name: Name, principal: Admin, services: Parts, members: Federation, request: Request
) -> None:
    """Let a member take part no longer."""
    _change(members.shut_out, name)
    services.audit_log.note(principal.name, "member.shut_out", name, address=address_of(request))


@router.post("/{name}/let-in", status_code=HTTPStatus.NO_CONTENT, responses=responses(404, 409))
def let_in(
    name: Name, principal: Admin, services: Parts, members: Federation, request: Request
) -> None:
    """Let a member that was shut out take part again."""
    _change(members.let_in, name)
    services.audit_log.note(principal.name, "member.let_in", name, address=address_of(request))


def _change(change: Callable[[str], None], name: str) -> None:
    try:
        change(name)
    except NoMemberError as error:
        raise ProblemError(HTTPStatus.NOT_FOUND, str(error)) from error
    except MemberThereError as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error
