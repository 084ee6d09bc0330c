"""Who sends a bakery's request, and whether this very request was sent by that member."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus

from glean.errors import CertificateError
from glean.privacy.node_key import node_key_line
from glean.privacy.request_signature import (
    KEY_HEADER,
    RequestRefusedError,
    SeenRequests,
    SignedRequest,
    read_signed_head,
)
from glean.service.gateway.fleet_calls import NODE_KEY_HEADER, Headers
from glean.service.gateway.refusals import GatewayRefusalError
from glean.service.gateway.request_journal import RequestJournal
from glean.service.membership.members import Members

_STATUS = {
    "unsigned": HTTPStatus.UNAUTHORIZED,
    "clock": HTTPStatus.UNAUTHORIZED,
    "replay": HTTPStatus.CONFLICT,
}
_LONGEST_KEY = 1000
_ONCE = (b"content-", b"transfer-", b"flwr-", b"x-glean-")
"""Headers by whose double the gateway and Flower could be told two things."""


class FleetAccess:
    """Knows members by what their requests carry.

    Parameters
    ----------
    members : Members
        Who belongs to the federation.
    journal : RequestJournal
        Requests that were taken lately, also by a service before this one.
    """

    def __init__(self, members: Members, journal: RequestJournal) -> None:
        self._members = members
        self._journal = journal
        self._seen = SeenRequests()
        for at, nonce in journal.read():
            self._seen.remember(at, nonce)

    def signing_member(self, headers: Mapping[str, str]) -> str:
        """Give the member whose signing key a request names; nothing is proved by that yet.

        Raises
        ------
        GatewayRefusalError
            It names none, or one that is shut out.
        """
        line = headers.get(KEY_HEADER, "")
        if not line:
            raise _refused("the request isn't signed by a member")
        if self._members.is_shut_out(line):
            raise GatewayRefusalError(
                HTTPStatus.FORBIDDEN,
                "this bakery was shut out of the federation: ask the operator",
            )
        bakery = self._members.of_signing_key(line)
        if bakery is None:
            raise _refused("the request is signed by a key that isn't a member's")
        return bakery

    def node_member(self, headers: Mapping[str, str]) -> str:
        """Give the member whose node a request is of, by both its keys; nothing is proved yet.

        A node without a signing key is one of Flower's own, and has to be known as that.

        Raises
        ------
        GatewayRefusalError
            It is no member's.
        """
        signer = self.signing_member(headers) if KEY_HEADER in headers else None
        bakery = self._of_node_key(headers.get(NODE_KEY_HEADER, ""))
        if signer is not None:
            if signer != bakery:
                raise _refused("the request's two keys aren't of one member")
        elif bakery is not None and self._members.joined_by_invitation(bakery):
            raise _refused("the request isn't signed by a member")
        if bakery is None:
            raise _refused("the node's key isn't a member's")
        return bakery

    def prove(self, headers: Mapping[str, str], method: str, target: str) -> SignedRequest:
        """Check that a request was signed, lately, and comes for the first time; by its head.

        Raises
        ------
        GatewayRefusalError
            It wasn't.
        """
        try:
            found = read_signed_head(headers, method, target)
            self._seen.check(found)
        except RequestRefusedError as error:
            raise GatewayRefusalError(_STATUS[error.reason], str(error)) from error
        self._journal.note(found)
        return found

    def _of_node_key(self, header: str) -> str | None:
        try:
            return self._members.of_node_key(_line_of(header)) if header else None
        except CertificateError as error:
            raise _refused(str(error)) from error


def check_content(request: SignedRequest, body: bytes) -> None:
    """Check that a body is the one that its head, which was proved, speaks of.

    Raises
    ------
    GatewayRefusalError
        It isn't.
    """
    try:
        request.check_content(body)
    except RequestRefusedError as error:
        raise _refused(str(error)) from error


def readable(headers: Headers) -> dict[str, str]:
    """Give a request's headers by name.

    Raises
    ------
    GatewayRefusalError
        One that must be there once is there twice.
    """
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in found and name.startswith(_ONCE):
            raise GatewayRefusalError(HTTPStatus.BAD_REQUEST, "found a header twice")
        found[name] = value
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in found.items()}


def _refused(detail: str) -> GatewayRefusalError:
    return GatewayRefusalError(HTTPStatus.UNAUTHORIZED, detail)


@lru_cache(maxsize=4096)
def _line_of(header: str) -> str:
    if len(header) > _LONGEST_KEY:
        raise CertificateError("the node's key is too long")
    try:
        return node_key_line(b64decode(header, validate=True))
    except ValueError:
        raise CertificateError("the node's key can't be read") from None
