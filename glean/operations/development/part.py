"""A part that the service can have: the real server that was found, or what stands in for it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass

from glean.errors import FederationError


@dataclass(frozen=True)
class Part:
    """One of them.

    Parameters
    ----------
    name : str
        Like "database".
    what : str
        What it is, like "PostgreSQL 15" or "SQLite, in a file".
    url : str
        Where a real one is reached, password and all; "" of what stands in.
    missing : str
        Why there is no real one; "" where there is.
    """

    name: str
    what: str
    url: str = ""
    missing: str = ""

    @property
    def real(self) -> bool:
        """Whether it is a server of its own."""
        return not self.missing

    def said(self) -> str:
        """Say what was found, for whoever brings it up."""
        kind = "real" if self.real else f"stands in ({self.missing})"
        return f"{self.name}: {self.what}, {kind}"


def real_or(stand_in: Part, start: Callable[[], Part]) -> Part:
    """Start a real server, or say why there is none.

    Parameters
    ----------
    stand_in : Part
        What takes its place; without a reason.
    start : callable
        Starts the real one; a FederationError says why it can't.
    """
    try:
        return start()
    except FederationError as error:
        return Part(stand_in.name, stand_in.what, missing=str(error).splitlines()[0])


def free_port() -> int:
    """Find a port of this machine that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
