"""What goes wrong between a bakery and a server, and how an HTTP client's errors read as that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from glean.errors import FederationError


class UnreachableError(FederationError):
    """Nobody answers, or a gateway says so: to be tried again."""


class ForeignServerError(FederationError):
    """Whoever answers isn't the server that the bakery trusts."""


class NotAdmittedError(FederationError):
    """The server doesn't let this node in."""


class RunEndedError(FederationError):
    """The run that was spoken of doesn't go on."""


class MessageLostError(FederationError):
    """A message's content can't be had any more."""


@contextmanager
def plain_errors(address: str) -> Iterator[None]:
    """Say of calls in the body what went wrong.

    Raises
    ------
    UnreachableError, ForeignServerError, NotAdmittedError, RunEndedError
        As above.
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
    except (ValueError, TypeError) as error:  # a stranger's server may answer anything
        raise UnreachableError(f"{address} answers with something else") from error


def error_of(response: httpx.Response) -> FederationError:
    """Read a server's refusal; of Flower's, which have a code of its own, 403 is of the run."""
    found = _json(response.text)
    said = str(found.get("detail", ""))
    words = said or f"HTTP {response.status_code}"
    match response.status_code:
        case httpx.codes.UNAUTHORIZED | httpx.codes.PRECONDITION_FAILED:
            return NotAdmittedError(words)
        case httpx.codes.FORBIDDEN if "code" in found:
            return RunEndedError(words)
        case httpx.codes.FORBIDDEN if said:
            return NotAdmittedError(words)
        case _:
            return UnreachableError(f"the server answers {words!r}")


def _json(text: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
