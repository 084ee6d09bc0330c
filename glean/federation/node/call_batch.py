"""Several of Flower's fleet calls in one request, and their answers in one answer.

A message takes nine calls, most of them small; each request by itself costs the node, the gateway
and TLS more than what is in it. The gateway unpacks them: the SuperLink sees the same calls.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

CONTENT_TYPE = "application/vnd.glean.fleet-calls"

MOST_CALLS = 64

_LENGTH_BYTES = 4


class BatchError(ValueError):
    """Bytes that are no batch."""


@dataclass(frozen=True)
class FleetCall:
    """One call.

    Parameters
    ----------
    path : str
        Of Flower's, like "/v1/fleet/pull-object".
    body : bytes
        Its message.
    """

    path: str
    body: bytes


@dataclass(frozen=True)
class FleetResult:
    """What came of one call.

    Parameters
    ----------
    status : int
        HTTP status.
    body : bytes
        The answer's message, or what went wrong.
    """

    status: int
    body: bytes


def write_calls(calls: Iterable[FleetCall]) -> bytes:
    """Write calls: of each its path and its body, with their lengths in front."""
    return b"".join(_field(call.path.encode("ascii")) + _field(call.body) for call in calls)


def read_calls(content: bytes) -> tuple[FleetCall, ...]:
    """Read what `write_calls` wrote.

    Raises
    ------
    BatchError
        It is cut off, or has too many calls or none.
    """
    fields = _fields(content, most=2 * MOST_CALLS)
    if not fields or len(fields) % 2:
        raise BatchError(f"found {len(fields)} fields; wanted pairs, of {MOST_CALLS} calls at most")
    try:
        paths = [path.decode("ascii") for path in fields[::2]]
    except UnicodeDecodeError as error:
        raise BatchError("a path isn't one") from error
    return tuple(map(FleetCall, paths, fields[1::2]))


def write_results(results: Iterable[FleetResult]) -> bytes:
    """Write results, in the order of the calls."""
    return b"".join(_field(b"%d" % found.status) + _field(found.body) for found in results)


def read_results(content: bytes, *, count: int) -> tuple[FleetResult, ...]:
    """Read what `write_results` wrote of so many calls.

    Raises
    ------
    BatchError
        It is cut off, or of another number of calls.
    """
    fields = _fields(content, most=2 * count)
    if len(fields) != 2 * count:
        raise BatchError(f"found {len(fields) / 2:g} results; wanted {count}")
    try:
        statuses = [int(status) for status in fields[::2]]
    except ValueError as error:
        raise BatchError("a status isn't one") from error
    return tuple(map(FleetResult, statuses, fields[1::2]))


def _field(content: bytes) -> bytes:
    return len(content).to_bytes(_LENGTH_BYTES, "big") + content


def _fields(content: bytes, *, most: int) -> list[bytes]:
    """Read fields; no further than where there are too many, whoever wrote them."""
    found: list[bytes] = []
    at = 0
    while at < len(content):
        if len(found) == most:
            raise BatchError(f"found more than {most} fields")
        begin = at + _LENGTH_BYTES
        length = int.from_bytes(content[at:begin], "big")
        at = begin + length
        if at > len(content):
            raise BatchError("it is cut off")
        found.append(bytes(content[begin:at]))
    return found
