"""Tokens by REST: made, listed, revoked; and the log of who did what."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from glean.errors import GleanError
from glean.service.accounts.access import Admin, Parts, Reader, address_of
from glean.service.accounts.scopes import Scope
from glean.service.problems import ProblemError, not_found, responses
from glean.service.store.tables import TokenRow

router = APIRouter(prefix="/api/v1", tags=["accounts"], responses=responses(422, 503))

MOST_LINES = 500

LARGEST = 2**63 - 1
"""The largest number that a database keeps."""


class NewToken(BaseModel):
    """A token that shall be made."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "Ada", "scope": "run"}]}
    )

    name: str = Field(
        min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$", examples=["Ada"]
    )
    scope: Scope = Field(default=Scope.READ, description="What it may do.")
    days: int | None = Field(default=None, ge=1, le=3650, description="Until it expires.")


class Token(BaseModel):
    """A token, without what opens the service."""

    id: str
    name: str
    prefix: str = Field(description="Its beginning, to tell it by.", examples=["glean_k3xw9fpa"])
    scope: Scope
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    used_at: str | None = Field(description="When it was shown last, to the minute or so.")

    @classmethod
    def of(cls, row: TokenRow) -> Token:
        """Write a row of the database down."""
        return cls(
            id=row.id,
            name=row.name,
            prefix=f"glean_{row.prefix}",
            scope=Scope(row.scope),
            created_at=row.created_at,
            expires_at=row.expires_at or None,
            revoked_at=row.revoked_at or None,
            used_at=row.used_at or None,
        )


class MadeToken(Token):
    """A token that was made: its text is told this once."""

    token: str = Field(description="Opens the service; keep it, it isn't shown again.")


class Tokens(BaseModel):
    """All tokens."""

    tokens: list[Token]


class Myself(BaseModel):
    """Who makes the request."""

    name: str
    scope: Scope


class AuditLine(BaseModel):
    """Something that somebody did."""

    number: int
    at: str
    actor: str
    action: str
    subject: str
    detail: str
    address: str


class AuditLines(BaseModel):
    """Lines of the audit log, the newest first."""

    lines: list[AuditLine]


@router.get("/myself")
def myself(principal: Reader) -> Myself:
    """Say whose token it is and what it may do."""
    return Myself(name=principal.name, scope=principal.scope)


@router.get("/tokens")
def list_tokens(_: Admin, services: Parts) -> Tokens:
    """List all tokens."""
    return Tokens(tokens=[Token.of(row) for row in services.tokens.all()])


@router.post("/tokens", status_code=HTTPStatus.CREATED)
def create_token(body: NewToken, principal: Admin, services: Parts, request: Request) -> MadeToken:
    """Make a token."""
    row, text = services.tokens.create(body.name, body.scope, days=body.days)
    services.audit_log.note(
        principal.name, "token.create", row.id, detail=body.scope, address=address_of(request)
    )
    return MadeToken(**Token.of(row).model_dump(), token=text)


@router.delete(
    "/tokens/{token_id}", status_code=HTTPStatus.NO_CONTENT, responses=responses(404, 409)
)
def revoke_token(token_id: str, principal: Admin, services: Parts, request: Request) -> None:
    """End a token, and the sessions of browsers that signed in with it."""
    try:
        row = services.tokens.revoke(token_id)
    except GleanError as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error
    if row is None:
        raise not_found(f"token {token_id[:40]!r}")
    services.audit_log.note(principal.name, "token.revoke", token_id, address=address_of(request))


@router.get("/audit-log")
def list_audit_log(
    _: Admin,
    services: Parts,
    before: Annotated[
        int | None, Query(ge=1, le=LARGEST, description="Only lines with a lower number.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_LINES)] = 100,
) -> AuditLines:
    """Say who did what."""
    rows = services.audit_log.latest(before=before, limit=limit)
    names = AuditLine.model_fields
    return AuditLines(lines=[AuditLine(**{k: getattr(row, k) for k in names}) for row in rows])
