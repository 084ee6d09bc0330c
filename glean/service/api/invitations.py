"""Invitations by REST: made and told once, listed, withdrawn."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from glean.service.accounts.access import Admin, Parts, address_of
from glean.service.membership.federation import Federation
from glean.service.membership.invitations import DAYS, MOST_DAYS, InvitationState, invitation_state
from glean.service.membership.inviting import invite
from glean.service.membership.members import MemberThereError, NoMemberError
from glean.service.problems import ProblemError, not_found, responses
from glean.service.store.tables import InvitationRow

router = APIRouter(prefix="/api/v1/invitations", tags=["federation"], responses=responses(422, 503))


class NewInvitation(BaseModel):
    """An invitation that shall be made."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"bakery": "Rue Mouffetard", "days": 7}]}
    )

    bakery: str = Field(min_length=1, max_length=100, description="Whom it is for.")
    days: int = Field(default=DAYS, ge=1, le=MOST_DAYS, description="How long it can be used.")
    replaces_key: bool = Field(
        default=False, description="Whether a member that lost its key gets a new one by it."
    )


class Invitation(BaseModel):
    """An invitation, without what lets a bakery in."""

    id: str
    bakery: str
    state: InvitationState
    replaces_key: bool
    created_at: str
    created_by: str = Field(description="Name of the token; empty: the command line.")
    expires_at: str
    used_at: str | None
    withdrawn_at: str | None

    @classmethod
    def of(cls, row: InvitationRow) -> Invitation:
        """Write a row of the database down."""
        return cls(
            id=row.id,
            bakery=row.bakery,
            state=invitation_state(row),
            replaces_key=row.replaces_key,
            created_at=row.created_at,
            created_by=row.created_by,
            expires_at=row.expires_at,
            used_at=row.used_at or None,
            withdrawn_at=row.withdrawn_at or None,
        )


class MadeInvitation(Invitation):
    """An invitation that was made: its link is told this once."""

    link: str = Field(description="Lets the bakery in; send it to nobody else.")
    command: str = Field(description="What is typed at the bakery.")


class Invitations(BaseModel):
    """All invitations, the newest first."""

    invitations: list[Invitation]


@router.get("")
def list_invitations(_: Admin, services: Parts) -> Invitations:
    """List all invitations."""
    return Invitations(invitations=[Invitation.of(row) for row in services.invitations.all()])


@router.post("", status_code=HTTPStatus.CREATED, responses=responses(404, 409))
def create_invitation(
    body: NewInvitation, principal: Admin, services: Parts, members: Federation, request: Request
) -> MadeInvitation:
    """Invite a bakery; an open invitation of the same name is withdrawn by it."""
    try:
        made = invite(
            members,
            services.invitations,
            body.bakery,
            days=body.days,
            replaces_key=body.replaces_key,
            created_by=principal.name,
        )
    except NoMemberError as error:
        raise ProblemError(HTTPStatus.NOT_FOUND, str(error)) from error
    except MemberThereError as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error
    services.audit_log.note(
        principal.name,
        "invitation.create",
        made.row.id,
        detail=body.bakery,
        address=address_of(request),
    )
    told = Invitation.of(made.row).model_dump()
    return MadeInvitation(**told, link=made.link, command=made.command)


@router.delete("/{invitation_id}", status_code=HTTPStatus.NO_CONTENT, responses=responses(404, 409))
def withdraw_invitation(
    invitation_id: str, principal: Admin, services: Parts, request: Request
) -> None:
    """Withdraw an invitation that wasn't used yet."""
    row = services.invitations.find(invitation_id)
    if row is None:
        raise not_found(f"invitation {invitation_id[:40]!r}")
    if not services.invitations.withdraw(invitation_id):
        raise ProblemError(
            HTTPStatus.CONFLICT,
            f"the invitation of {row.bakery!r} is {invitation_state(row)} already",
        )
    services.audit_log.note(
        principal.name,
        "invitation.withdraw",
        invitation_id,
        detail=row.bakery,
        address=address_of(request),
    )
