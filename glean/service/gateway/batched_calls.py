"""Several fleet calls of a member in one signed request, each sent on by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from http import HTTPStatus

from glean.federation.node.call_batch import (
    BatchError,
    FleetCall,
    FleetResult,
    read_calls,
    write_results,
)
from glean.service.gateway.fleet_calls import NODE_CALLS, Headers, of_batched_call, to_flower
from glean.service.gateway.refusals import GatewayRefusalError, busy, no_such_call
from glean.service.gateway.request_body import LARGEST, RequestBody
from glean.service.gateway.upstream import UPSTREAM_ERRORS, Upstream
from glean.service.settings import MEGABYTE

_QUICKLY_READ = MEGABYTE


async def calls_of(body: RequestBody) -> tuple[FleetCall, ...]:
    """Read the calls of a batch.

    Raises
    ------
    GatewayRefusalError
        It is none, or has a call that isn't on the list.
    """
    try:
        if len(body) <= _QUICKLY_READ:
            calls = read_calls(body.content)
        else:
            calls = await asyncio.to_thread(read_calls, body.content)
    except BatchError as error:
        raise GatewayRefusalError(HTTPStatus.UNPROCESSABLE_ENTITY, f"the batch: {error}") from error
    if any(call.path.encode("ascii") not in NODE_CALLS for call in calls):
        raise no_such_call()
    return calls


async def batched(
    upstream: Upstream, address: str, headers: Headers, calls: Sequence[FleetCall]
) -> bytes:
    """Make the calls of a batch at the same time, and give all results, in their order.

    Parameters
    ----------
    upstream : Upstream
        The SuperLink.
    address : str
        Where it is.
    headers : list of (bytes, bytes)
        The request's; those by which Flower knows the node go with each call.
    calls : sequence of FleetCall
        The batch.

    Raises
    ------
    GatewayRefusalError
        Nobody answers, or the results are too large together.
    """
    sent = of_batched_call(to_flower(headers))
    budget = _Budget(LARGEST)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(_one(upstream, address, sent, call, budget)) for call in calls
            ]
    except ExceptionGroup as errors:
        refusals, others = errors.split(GatewayRefusalError)
        if others is not None and others.split(UPSTREAM_ERRORS)[1] is not None:
            raise  # a slip of ours
        raise _first(refusals) from None
    return write_results(task.result() for task in tasks)


def _first(refusals: ExceptionGroup[GatewayRefusalError] | None) -> GatewayRefusalError:
    found = refusals.exceptions[0] if refusals else None
    if isinstance(found, GatewayRefusalError):
        return found
    return busy("the federation's server doesn't answer just now")


class _Budget:
    """Counts the bytes of all results of a batch."""

    def __init__(self, left: int) -> None:
        self._left = left

    def spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise GatewayRefusalError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the results are too large for one answer"
            )


async def _one(
    upstream: Upstream, address: str, headers: Headers, call: FleetCall, budget: _Budget
) -> FleetResult:
    path, parts = call.path.encode("ascii"), []
    async with upstream.send_on(address, path, headers, RequestBody(call.body)) as response:
        async for part in response.aiter_stream():
            budget.spend(len(part))
            parts.append(part)
        return FleetResult(response.status, b"".join(parts))
