"""Fleet calls of a node, several in one request to the gateway of `glean serve --public`."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import httpx

from glean.federation.node.call_batch import (
    CONTENT_TYPE,
    MOST_CALLS,
    FleetCall,
    FleetResult,
    read_results,
    write_calls,
)
from glean.federation.node.member_auth import MemberAuth
from glean.federation.node.member_paths import FLEET_CALLS
from glean.federation.node.server_errors import error_of, plain_errors

LARGEST_BYTES = 16 * 2**20
"""What a batch holds, unless a single call is larger."""

_LIMIT_S = 60.0


class CallBatches:
    """Sends batches.

    Parameters
    ----------
    address : str
        HOST:PORT of the gateway.
    authority : Path
        Certificate by which it is known.
    node_headers : callable
        Makes what Flower knows a node by, anew for each request.
    member : MemberAuth
        Signs the request itself.
    """

    def __init__(
        self,
        address: str,
        authority: Path,
        *,
        node_headers: Callable[[], Mapping[str, str]],
        member: MemberAuth,
    ) -> None:
        self._address = address
        self._node_headers = node_headers
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cafile=authority)
        self._client = httpx.Client(
            base_url=f"https://{address}",
            verify=context,
            auth=member,
            timeout=_LIMIT_S,
            trust_env=False,
        )

    def bodies(self, calls: Sequence[FleetCall]) -> list[bytes]:
        """Make calls, and give the body of each answer, in their order.

        Raises
        ------
        UnreachableError, ForeignServerError, NotAdmittedError, RunEndedError
            Of the first that went wrong.
        """
        found: list[bytes] = []
        for part in _parts(calls):
            for result in self._results(part):
                if result.status != httpx.codes.OK:
                    raise error_of(httpx.Response(result.status, content=result.body))
                found.append(result.body)
        return found

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _results(self, calls: Sequence[FleetCall]) -> tuple[FleetResult, ...]:
        headers = {**self._node_headers(), "content-type": CONTENT_TYPE}
        with plain_errors(self._address):
            response = self._client.post(FLEET_CALLS, content=write_calls(calls), headers=headers)
            response.raise_for_status()
            return read_results(response.content, count=len(calls))


def _parts(calls: Sequence[FleetCall]) -> list[list[FleetCall]]:
    """Divide calls into batches of a size that a gateway takes."""
    parts: list[list[FleetCall]] = []
    size = 0
    for call in calls:
        if not parts or len(parts[-1]) == MOST_CALLS or size + len(call.body) > LARGEST_BYTES:
            parts.append([])
            size = 0
        parts[-1].append(call)
        size += len(call.body)
    return parts
