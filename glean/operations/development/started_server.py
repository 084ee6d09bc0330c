"""A server on loopback, waited for until it takes connections."""

from __future__ import annotations

import socket
import time

from glean.errors import FederationError
from glean.operations.development.part import Part
from glean.operations.rehearsal.started_process import StartedProcess

LIMIT_S = 90.0
_POLL_S = 0.1


def wait_for_port(process: StartedProcess, port: int, part: Part) -> Part:
    """Wait until a server that was started takes connections; gives the part that it is.

    Raises
    ------
    FederationError
        It ended by itself, or takes too long.
    """
    deadline = time.monotonic() + LIMIT_S
    while not _takes(port):
        if not process.runs:
            raise FederationError(f"{process.name} ended by itself; {process.log} says more")
        if time.monotonic() > deadline:
            raise FederationError(
                f"{process.name} didn't answer within {LIMIT_S:.0f} s; {process.log} says more"
            )
        time.sleep(_POLL_S)
    return part


def _takes(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
