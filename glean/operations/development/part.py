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


Wait = Callable[[], Part]
"""Waits until a server that was started answers."""


def begin(stand_in: Part, start: Callable[[], Wait]) -> Wait:
    """Start a real server, to be waited for; where there is none, what stands in has the reason.

    Parameters
    ----------
    stand_in : Part
        What takes its place; without a reason.
    start : callable
        Starts the real one; a FederationError, also while it is waited for, says why it can't.
    """
    try:
        wait = start()
    except FederationError as error:
        missing = error
        return lambda: _in_place(stand_in, missing)

    def waited() -> Part:
        try:
            return wait()
        except FederationError as error:
            return _in_place(stand_in, error)

    return waited


def _in_place(stand_in: Part, error: FederationError) -> Part:
    return Part(stand_in.name, stand_in.what, missing=str(error).splitlines()[0])


def free_port() -> int:
    """Find a port of this machine that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
