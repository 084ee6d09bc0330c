"""What a bakery with an invitation asks, without a token: whom to trust, and to be taken in."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from glean import __version__
from glean.errors import CertificateError
from glean.federation.node.member_paths import AUTHORITY, REGISTRATION, RELEASE_HEADER
from glean.privacy.registration import Registration, RegistrationError, read_registration
from glean.privacy.signing import fingerprint
from glean.service.accounts.access import Parts, address_of
from glean.service.membership.federation import Federation
from glean.service.membership.invitations import (
    EndedInvitationError,
    InvitationState,
    UnknownInvitationError,
)
from glean.service.membership.inviting import redeem, welcome
from glean.service.membership.members import KeysTakenError, MemberThereError, NoMemberError
from glean.service.problems import ProblemError, responses
from glean.service.services import Services
from glean.service.store.tables import InvitationRow

router = APIRouter(tags=["joining"], responses=responses(429, 503))

ROOTS = "roots.pem"
"""Where the service has a certificate that another authority gave it: by what that one is known."""

_LONGEST = 1000


class JoinRequest(BaseModel):
    """A bakery's registration, as `glean join` writes it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "secret": "AAAAAAAAAAAAAAAAAAAAAA==",  # nosec B105 # what one looks like
                    "signing_key": "ssh-ed25519 AAAA...",
                    "node_key": "ecdsa-sha2-nistp256 AAAA...",
                    "signing_proof": "AAAA",
                    "node_proof": "AAAA",
                }
            ]
        }
    )

    secret: str = Field(max_length=_LONGEST, description="Of the invitation, base64.")
    signing_key: str = Field(max_length=_LONGEST, description="Public, a line of OpenSSH.")
    node_key: str = Field(max_length=_LONGEST, description="Public, a line of OpenSSH.")
    signing_proof: str = Field(max_length=_LONGEST, description="Signature by the first, base64.")
    node_proof: str = Field(max_length=_LONGEST, description="Signature by the second, base64.")


class KeyLogLine(BaseModel):
    """An entry of the log of members' keys, signed over the one before."""

    number: int
    at: str
    event: str = Field(examples=["joined"])
    bakery: str
    signing_key: str
    node_key: str
    before: str
    signature: str


class Welcome(BaseModel):
    """What a bakery that was taken in has to know."""

    bakery: str = Field(description="Its name in the federation.")
    federation: str = Field(description="The federation's name.")
    release: str = Field(description="Version of Glean that runs are of.")
    model_key: str = Field(description="By which models and the log of keys are signed.")
    key_log: list[KeyLogLine] = Field(description="All members and their keys.")


@router.post(
    REGISTRATION,
    status_code=HTTPStatus.CREATED,
    summary="Be taken in, by an invitation",
    responses=responses(400, 403, 404, 409, 410, 413, 422),
)
def join(body: JoinRequest, services: Parts, members: Federation, request: Request) -> Welcome:
    """Take a bakery in, once for each invitation."""
    address = address_of(request)
    _refuse_many(services, address)
    try:
        row = _redeem(services, members, body.model_dump())
    except ProblemError as problem:
        services.join_attempts.note(address)
        services.audit_log.note(
            "", "member.join.refused", detail=str(int(problem.status)), address=address
        )
        raise
    services.audit_log.note(
        row.bakery,
        "member.replace" if row.replaces_key else "member.join",
        row.bakery,
        detail=fingerprint(body.signing_key),
        address=address,
    )
    return Welcome(**welcome(members, row.bakery))


@router.get(
    AUTHORITY,
    summary="The certificates that bakeries trust",
    response_class=Response,
    responses={200: {"content": {"application/x-pem-file": {"schema": {"type": "string"}}}}},
)
def authority(members: Federation) -> Response:
    """Give the authority's certificate, PEM; the invitation says which it has to be."""
    given = members.folder.path / ROOTS
    try:
        content = (given if given.exists() else members.folder.authority).read_bytes()
    except OSError as error:
        raise ProblemError(
            HTTPStatus.SERVICE_UNAVAILABLE, f"ca.crt can't be read: {error.strerror}"
        ) from error
    return Response(
        content, media_type="application/x-pem-file", headers={RELEASE_HEADER: __version__}
    )


def _refuse_many(services: Services, address: str) -> None:
    wait_s = services.join_attempts.wait_s(address)
    if wait_s:
        raise ProblemError(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"too many invitations that don't count came from this address: try again in {wait_s} "
            "s",
            headers={"Retry-After": str(wait_s)},
        )


def _redeem(services: Services, members: Federation, body: dict[str, Any]) -> InvitationRow:
    try:
        registration: Registration = read_registration(body)
        return redeem(members, services.invitations, registration)
    except RegistrationError as error:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
    except UnknownInvitationError as error:
        raise ProblemError(HTTPStatus.NOT_FOUND, str(error)) from error
    except EndedInvitationError as error:
        used = error.state is InvitationState.USED
        raise ProblemError(HTTPStatus.CONFLICT if used else HTTPStatus.GONE, str(error)) from error
    except (KeysTakenError, MemberThereError, NoMemberError) as error:
        raise ProblemError(HTTPStatus.FORBIDDEN, str(error)) from error
    except CertificateError as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error
