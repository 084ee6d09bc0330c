"""A member's signature on the requests of an HTTP client."""

from __future__ import annotations

from collections.abc import Generator

import httpx

from glean.privacy.request_signature import RequestSigner, sign_request


class MemberAuth(httpx.Auth):
    """Signs each request: method, path with query, and body as they travel.

    Parameters
    ----------
    signer : RequestSigner
        The bakery's key.
    """

    requires_request_body = True

    def __init__(self, signer: RequestSigner) -> None:
        self._signer = signer

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign, and send."""
        self.sign(request)
        yield request

    def sign(self, request: httpx.Request) -> None:
        """Add the signature's headers."""
        target = request.url.raw_path.decode("ascii")
        request.headers.update(sign_request(self._signer, request.method, target, request.content))
