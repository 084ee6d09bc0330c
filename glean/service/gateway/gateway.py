"""The gateway: bakeries' requests, each checked whole, then sent on to the SuperLink or answered.

It stands before the service's other routes and takes all that begins with `/v1/`. A request is
looked at in this order, so that a stranger costs little: its call, its headers, whose it claims to
be, its signature, how many of that member's are at work; then its body is read and compared with
the signed hash, and it goes on. What Flower's own nodes send proves nothing by its head: of that an
address has a few at a time, which take nothing from members who sign.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus

import httpcore
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from glean.federation.node import call_batch, member_paths
from glean.privacy.request_signature import KEY_HEADER, SignedRequest
from glean.service.gateway.at_work import AtWork
from glean.service.gateway.batched_calls import batched, calls_of
from glean.service.gateway.fleet_access import FleetAccess, check_content, readable
from glean.service.gateway.fleet_calls import (
    CODE_CALL,
    CONTENT_TYPE,
    FLEET_CALLS,
    METHOD,
    from_flower,
    to_flower,
)
from glean.service.gateway.member_calls import MEMBER_CALLS, MemberCalls
from glean.service.gateway.refusals import GatewayRefusalError, busy, no_such_call
from glean.service.gateway.request_body import RequestBody, announced_length, whole_body
from glean.service.gateway.request_journal import RequestJournal
from glean.service.gateway.upstream import UPSTREAM_ERRORS, Upstream
from glean.service.membership.members import Members
from glean.service.settings import MEGABYTE
from glean.service.superlink.superlink_supervisor import SuperLinkSupervisor

PREFIX = b"/v1/"

BATCH = member_paths.FLEET_CALLS.encode("ascii")

_QUICKLY_HASHED = MEGABYTE
_READ_S = 60.0
"""How long whoever asked may take to read a part of the answer."""


class Gateway:
    """Takes bakeries' requests out of those that come to an application.

    Parameters
    ----------
    app : ASGIApp
        What answers all others.
    members : Members
        Who belongs to the federation.
    superlink : SuperLinkSupervisor
        Where the SuperLink is.
    """

    def __init__(self, app: ASGIApp, *, members: Members, superlink: SuperLinkSupervisor) -> None:
        self._app = app
        self._members = members
        self._journal = RequestJournal(members.folder.request_journal)
        self._access = FleetAccess(members, self._journal)
        self._calls = MemberCalls(members, self._access)
        self._superlink = superlink
        self._upstream = Upstream(members.folder.authority)
        self._at_work = AtWork()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a bakery's request; leave others to the application."""
        if scope["type"] == "lifespan":
            try:
                await self._app(scope, receive, send)
            finally:
                await self._upstream.close()
                self._journal.close()
            return
        if scope["type"] != "http" or not _path(scope).startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        try:
            await self._answer(scope, receive, send)
        except GatewayRefusalError as refusal:
            await refusal.send(scope, receive, send)
        except (ConnectionAbortedError, TimeoutError):
            return  # whoever asked has gone, or doesn't read; what isn't whole is closed

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = _path(scope)
        if path in MEMBER_CALLS:
            await self._calls.answer(scope, receive, send)
            return
        if path not in FLEET_CALLS | {BATCH} or scope["query_string"]:
            raise no_such_call()
        if scope["method"] != METHOD:
            raise GatewayRefusalError(
                HTTPStatus.METHOD_NOT_ALLOWED, f"wanted {METHOD}", {"Allow": METHOD}
            )
        headers = readable(scope["headers"])
        _check_kind(headers, path)
        bakery = self._access.node_member(headers)
        length = announced_length(scope)
        if KEY_HEADER not in headers:
            address = scope["client"][0] if scope.get("client") else ""
            with self._at_work.of_address(address):
                async with whole_body(receive, length, proved=False) as body:
                    self._members.heard(bakery)
                    await self._forward(path, body, scope, send)
            return
        request = self._access.prove(headers, METHOD, path.decode("ascii"))
        with self._at_work.of_member(bakery):
            async with whole_body(receive, length) as body:
                await _check_content(request, body)
                self._members.heard(bakery)
                if path == BATCH:
                    await self._forward_batch(bakery, body, scope, receive, send)
                else:
                    await self._forward(path, body, scope, send)

    async def _forward(self, path: bytes, body: RequestBody, scope: Scope, send: Send) -> None:
        headers = to_flower(scope["headers"])
        async with self._upstream.send_on(self._address(), path, headers, body) as response:
            await _pass_on(response, send)

    async def _forward_batch(
        self, bakery: str, body: RequestBody, scope: Scope, receive: Receive, send: Send
    ) -> None:
        calls = await calls_of(body)
        with self._at_work.calls(bakery, len(calls) - 1):
            content = await batched(self._upstream, self._address(), scope["headers"], calls)
        await Response(content, media_type=call_batch.CONTENT_TYPE)(scope, receive, send)

    def _address(self) -> str:
        if self._superlink.address is None:
            raise busy("the federation's server is starting")
        return self._superlink.address


async def _check_content(request: SignedRequest, body: RequestBody) -> None:
    if len(body) <= _QUICKLY_HASHED:
        check_content(request, body.content)
    else:
        await asyncio.to_thread(check_content, request, body.content)


def _path(scope: Scope) -> bytes:
    """Give the path as it travelled: what is decoded could be another one."""
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    return path


def _check_kind(headers: Mapping[str, str], path: bytes) -> None:
    wanted = call_batch.CONTENT_TYPE if path == BATCH else CONTENT_TYPE.decode()
    if headers.get("content-type", "") != wanted:
        raise GatewayRefusalError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"wanted {wanted}")
    if path == CODE_CALL and KEY_HEADER in headers:
        raise no_such_call()  # a node of Glean's runs no code that arrives
    if path == BATCH and KEY_HEADER not in headers:
        raise no_such_call()  # nor does one of Flower's know of batches


async def _pass_on(response: httpcore.Response, send: Send) -> None:
    headers = from_flower(response.headers)
    length = next((v for n, v in response.headers if n.lower() == b"content-length"), None)
    if length is not None:
        headers.append((b"content-length", length))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    pending = b""
    try:
        async for part in response.aiter_stream():
            if pending:
                await _send_part(send, pending, more=True)
            pending = part
    except UPSTREAM_ERRORS:
        raise ConnectionAbortedError from None
    await _send_part(send, pending, more=False)


async def _send_part(send: Send, part: bytes, *, more: bool) -> None:
    async with asyncio.timeout(_READ_S):
        await send({"type": "http.response.body", "body": part, "more_body": more})
