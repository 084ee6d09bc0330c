"""What goes wrong on the way to a server, in a node's own errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from glean.errors import FederationError
from glean.federation.node.fleet import (
    ForeignServerError,
    NotAdmittedError,
    RunEndedError,
    UnreachableError,
)


@contextmanager
def plain_errors(address: str) -> Iterator[None]:
    """Say of calls in the body what went wrong.

    Raises
    ------
    UnreachableError, ForeignServerError, NotAdmittedError, RunEndedError
        As `fleet` has them.
    """
    try:
        yield
    except httpx.HTTPStatusError as error:
        raise error_of(error.response) from error
    except httpx.TransportError as error:
        words = f"{type(error).__name__}: {error}"
        if "certificate" in words.lower():
            raise ForeignServerError(
                f"whoever answers at {address} isn't the server of the certificate that was given "
                f"({error}); wanted the ca.crt of the operator, and the name or address that the "
                "server's certificate has"
            ) from error
        raise UnreachableError(f"nobody answers at {address} ({words})") from error
    except ValueError as error:  # what a stranger's server answers is no message of Flower's
        raise UnreachableError(f"{address} answers with something else") from error


def error_of(response: httpx.Response) -> FederationError:
    """Read a server's refusal; a gateway's says nothing of nodes and runs."""
    said = _detail(response.text)
    words = said or f"HTTP {response.status_code}"
    match response.status_code:
        case httpx.codes.UNAUTHORIZED | httpx.codes.PRECONDITION_FAILED:
            return NotAdmittedError(words)
        case httpx.codes.FORBIDDEN if said:
            return RunEndedError(words)
        case _:
            return UnreachableError(f"the server answers {words!r}")


def _detail(text: str) -> str:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    return str(found.get("detail", "")) if isinstance(found, dict) else ""
