"""What a member may ask the service itself: how it stands, and the log of all members' keys."""

from __future__ import annotations

import json
from dataclasses import asdict
from http import HTTPStatus

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from glean import __version__
from glean.federation.node import member_paths
from glean.service.gateway.fleet_access import FleetAccess, check_content, readable
from glean.service.gateway.refusals import GatewayRefusalError
from glean.service.membership.members import Members

SELF, KEY_LOG, LEAVE = (
    path.encode("ascii")
    for path in (member_paths.MEMBERSHIP, member_paths.KEY_LOG, member_paths.LEAVE)
)

MEMBER_CALLS = {SELF: "GET", KEY_LOG: "GET", LEAVE: "POST"}
"""Their paths, and the method of each."""

_LONGEST_QUERY = 30


class MemberCalls:
    """Answers them.

    Parameters
    ----------
    members : Members
        Who belongs to the federation.
    access : FleetAccess
        Knows them by their requests.
    """

    def __init__(self, members: Members, access: FleetAccess) -> None:
        self._members = members
        self._access = access

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request of a member's.

        Raises
        ------
        GatewayRefusalError
            It isn't one.
        """
        query, path = scope["query_string"], scope["raw_path"]
        method = MEMBER_CALLS[path]
        if scope["method"] != method:
            raise GatewayRefusalError(
                HTTPStatus.METHOD_NOT_ALLOWED, f"wanted {method}", {"Allow": method}
            )
        headers = readable(scope["headers"])
        if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
            raise GatewayRefusalError(HTTPStatus.BAD_REQUEST, "wanted no body")
        bakery = self._access.signing_member(headers)
        since = _since(query, allowed=path == KEY_LOG)
        target = (path + b"?" + query if query else path).decode("latin-1")
        check_content(self._access.prove(headers, method, target), b"")
        self._members.heard(bakery)
        found = self._answer_to(path, bakery, since)
        response = JSONResponse(found, headers={"Cache-Control": "no-store"})
        await response(scope, receive, send)

    def _answer_to(self, path: bytes, bakery: str, since: int) -> dict[str, object]:
        if path == LEAVE:
            self._members.left(bakery)
            return {"state": "left"}
        return self._about(bakery) if path == SELF else self._key_log(since)

    def _about(self, bakery: str) -> dict[str, object]:
        return {
            "bakery": bakery,
            "federation": json.loads(self._members.folder.facts.read_bytes())["name"],
            "release": __version__,
            "model_key": self._members.folder.public_model_key.read_text(encoding="utf-8"),
            "state": "member",
        }

    def _key_log(self, since: int) -> dict[str, object]:
        entries = self._members.log().entries
        return {"key_log": [asdict(entry) for entry in entries if entry.number >= since]}


def _since(query: bytes, *, allowed: bool) -> int:
    if not query:
        return 1
    name, _, number = query.decode("latin-1").partition("=")
    if not allowed or name != "since" or not number.isdecimal() or len(query) > _LONGEST_QUERY:
        raise GatewayRefusalError(
            HTTPStatus.UNPROCESSABLE_ENTITY, "the query can't be read; wanted since=NUMBER"
        )
    return int(number)
