"""Why a request of a bakery's isn't taken, as an answer."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from starlette.types import Receive, Scope, Send

from glean.service.problems import answer

_CLOSES = {"Connection": "close", "Cache-Control": "no-store"}


class GatewayRefusalError(Exception):
    """A request that goes no further.

    Parameters
    ----------
    status : HTTPStatus
        The answer's status.
    detail : str
        What was found and what is wanted; never a header's value.
    headers : mapping, optional
        Further headers of the answer.
    """

    def __init__(
        self, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})

    async def send(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and close the connection: what is left of the body isn't waited for."""
        response = answer(self.status, self.detail, headers={**self.headers, **_CLOSES})
        await response(scope, receive, send)


def no_such_call() -> GatewayRefusalError:
    """Say that there is nothing of that name for bakeries."""
    return GatewayRefusalError(HTTPStatus.NOT_FOUND, "found no such call for bakeries")


def busy(detail: str) -> GatewayRefusalError:
    """Say that it may be tried again in a moment."""
    return GatewayRefusalError(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": "1"})
