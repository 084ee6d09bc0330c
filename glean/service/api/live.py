"""A run's events as they happen, by WebSocket, from the number on that was seen last."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, WebSocket, WebSocketDisconnect

from glean.service.accounts.socket_access import may_watch
from glean.service.api.run_details import folder_of
from glean.service.problems import ProblemError
from glean.service.runs.event_tail import EventTail
from glean.service.services import Services, services_of_socket

router = APIRouter()

NOT_ALLOWED, NOT_FOUND = 4401, 4404
"""Codes that a WebSocket is closed with."""

WAIT_S = 0.5
"""How often it is looked whether a run that waits has begun."""


@router.websocket("/api/v1/runs/{run_id}/live")
async def watch_run(socket: WebSocket, run_id: str, since: Annotated[int, Query(ge=0)] = 0) -> None:
    """Send every event after `since` as `{"number": ..., "event": ...}`, those to come too."""
    services = services_of_socket(socket)
    await socket.accept()
    if not await asyncio.to_thread(may_watch, services, socket):
        await socket.close(NOT_ALLOWED, "no token, or one that isn't valid")
        return
    sender = asyncio.create_task(_send(socket, services, run_id, since))
    try:
        # Whoever watches says nothing; that it goes is all there is to hear.
        while True:
            await socket.receive()
    except (WebSocketDisconnect, RuntimeError):
        pass
    finally:
        sender.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sender


async def _send(socket: WebSocket, services: Services, run_id: str, since: int) -> None:
    try:
        path = await _events_of(services, run_id)
    except ProblemError as problem:
        await socket.close(NOT_FOUND, problem.detail[:100])
        return
    with services.tails.of(path) as tail, contextlib.suppress(WebSocketDisconnect, RuntimeError):
        await _send_events(socket, tail, since)


async def _events_of(services: Services, run_id: str) -> Path:
    while (folder := await asyncio.to_thread(folder_of, services, run_id)) is None:
        await asyncio.sleep(WAIT_S)
    return folder / "events.jsonl"


async def _send_events(socket: WebSocket, tail: EventTail, since: int) -> None:
    async for number, line in tail.since(since):
        await socket.send_text(f'{{"number": {number}, "event": {line}}}')
