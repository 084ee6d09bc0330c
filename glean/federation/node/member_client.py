"""What a bakery asks of its federation's server beside Flower's messages, over pinned TLS.

The authority of the server comes from the server itself, and is taken only if its fingerprint is
the invitation's. From then on every call checks the server's certificate by it, and but for the
registration each is signed by the bakery's key.
"""

from __future__ import annotations

import datetime as dt
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Self

import httpx

from glean.errors import FederationError
from glean.federation.node.member_auth import MemberAuth
from glean.federation.node.server_errors import (
    ForeignServerError,
    NotAdmittedError,
    UnreachableError,
    plain_errors,
)
from glean.privacy.certificates import authority_fingerprint
from glean.privacy.key_log import KeyLogEntry
from glean.privacy.request_signature import RequestSigner

AUTHORITY_PATH = "/join/ca.crt"
REGISTRATION_PATH = "/join"
MEMBERSHIP_PATH = "/v1/members/self"
KEY_LOG_PATH = "/v1/members/key-log"
LEAVE_PATH = "/v1/members/leave"

RELEASE_HEADER = "x-glean-release"
"""Header of the answer to `AUTHORITY_PATH`: version of Glean that the server's runs have."""

_LIMIT_S = 20.0
_LONGEST_RELEASE = 40
_MOST_BYTES = 50 * 2**20
_REFUSALS = {400, 403, 404, 409, 410, 413, 422, 429}


class RegistrationRefusedError(FederationError):
    """The server doesn't take a registration; says why.

    Parameters
    ----------
    status : int
        HTTP status.
    text : str
        The server's words.
    """

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)


@dataclass(frozen=True)
class Welcome:
    """What a bakery is told of its federation once it is let in.

    Parameters
    ----------
    bakery, federation : str
        Its name there, and the federation's.
    release : str
        Version of Glean that its runs have.
    model_key : str
        The server's public key: of models and of the log of keys; "" where it isn't told anew.
    """

    bakery: str
    federation: str
    release: str
    model_key: str = ""

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> Self:
        """Read what a server sent.

        Raises
        ------
        UnreachableError
            It is something else.
        """
        texts = [found.get(name, "") for name in ("bakery", "federation", "release", "model_key")]
        if not all(isinstance(text, str) for text in texts) or not texts[0]:
            raise UnreachableError("the server answers with something else than a welcome")
        return cls(*texts)


class MemberClient:
    """Calls of one bakery to its server.

    Parameters
    ----------
    address : str
        HOST:PORT.
    authority : bytes
        The authority's certificate, PEM.
    signer : RequestSigner, optional
        The bakery's signing key; None before it has one there.
    """

    def __init__(self, address: str, authority: bytes, signer: RequestSigner | None = None) -> None:
        self._address = address
        self._auth = MemberAuth(signer) if signer else None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=authority.decode("ascii"))
        self._client = httpx.Client(
            base_url=f"https://{address}", verify=context, timeout=_LIMIT_S, trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def check_reachable(self) -> None:
        """Make a connection, by which the server's certificate is checked.

        Raises
        ------
        UnreachableError, ForeignServerError
            The server can't be reached, or is another one.
        """
        with plain_errors(self._address):
            self._client.get(AUTHORITY_PATH).raise_for_status()

    def leave(self) -> None:
        """Say that this bakery leaves its federation.

        Raises
        ------
        NotAdmittedError, UnreachableError, ForeignServerError
            As of `membership`.
        """
        with plain_errors(self._address):
            response = self._client.request("POST", LEAVE_PATH, auth=self._auth)
            if response.status_code in (401, 403):
                raise NotAdmittedError(_detail(response))
            response.raise_for_status()

    def register(self, registration: Mapping[str, str]) -> tuple[Welcome, tuple[KeyLogEntry, ...]]:
        """Register the bakery's keys by the secret of its invitation.

        Raises
        ------
        RegistrationRefusedError
            The server says why it doesn't take it.
        UnreachableError, ForeignServerError
            The server can't be reached, or is another one.
        """
        with plain_errors(self._address):
            response = self._client.post(REGISTRATION_PATH, json=dict(registration))
            if response.status_code in _REFUSALS:
                raise RegistrationRefusedError(response.status_code, _detail(response))
            response.raise_for_status()
            found = _object(response)
        return Welcome.read(found), _entries(found)

    def membership(self) -> Welcome:
        """Ask how this bakery stands.

        Raises
        ------
        NotAdmittedError
            It isn't a member, is shut out, or its clock is wrong: in the server's words.
        UnreachableError, ForeignServerError
            As of `register`.
        """
        return Welcome.read(self._get(MEMBERSHIP_PATH))

    def key_log(self, since: int) -> tuple[KeyLogEntry, ...]:
        """Ask for the log of keys from an entry's number on.

        Raises
        ------
        NotAdmittedError, UnreachableError, ForeignServerError
            As of `membership`.
        KeyLogError
            What came aren't entries.
        """
        return _entries(self._get(f"{KEY_LOG_PATH}?since={since}"))

    def _get(self, target: str) -> dict[str, Any]:
        with plain_errors(self._address):
            response = self._client.get(target, auth=self._auth)
            if response.status_code in (401, 403):
                raise NotAdmittedError(_detail(response))
            response.raise_for_status()
            return _object(response)


@dataclass(frozen=True)
class ServerFacts:
    """What anybody may ask a server.

    Parameters
    ----------
    authority : bytes
        Certificate by which it is known, PEM.
    time : datetime or None
        Its clock, to the second; None where it doesn't say.
    release : str
        Version of Glean that its runs have; "" where it doesn't say.
    """

    authority: bytes
    time: dt.datetime | None
    release: str


def fetch_facts(
    address: str, fingerprint: bytes, *, get: Callable[..., httpx.Response] = httpx.get
) -> ServerFacts:
    """Fetch the authority's certificate, and take it only if it is the invitation's.

    Whoever answers isn't known yet: nothing is sent to it, and what it sends counts for nothing
    unless it has the fingerprint.

    Parameters
    ----------
    address : str
        HOST:PORT of the server.
    fingerprint : bytes
        SHA-256 of the certificate in DER.
    get : callable
        Makes the request.

    Raises
    ------
    UnreachableError
        Nobody answers, or something else does.
    ForeignServerError
        It is another authority.
    """
    unknown = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unknown.check_hostname = False
    unknown.verify_mode = ssl.CERT_NONE  # what comes is compared with the fingerprint
    with plain_errors(address):
        response = get(
            f"https://{address}{AUTHORITY_PATH}", verify=unknown, timeout=_LIMIT_S, trust_env=False
        )
        response.raise_for_status()
    found = authority_fingerprint(response.content)
    if found is None:
        raise UnreachableError(
            f"{address} answers with something else than a certificate: it isn't a server of Glean"
        )
    if found != fingerprint:
        raise ForeignServerError(
            f"whoever answers at {address} isn't the server that invited: found the fingerprint "
            f"{found.hex()[:16]}…, the invitation has {fingerprint.hex()[:16]}…. Ask the operator "
            "for a new invitation, by a way that you trust"
        )
    release = response.headers.get(RELEASE_HEADER, "")[:_LONGEST_RELEASE]
    return ServerFacts(response.content, _time(response), release)


def _time(response: httpx.Response) -> dt.datetime | None:
    try:
        return parsedate_to_datetime(response.headers.get("date", ""))
    except ValueError:
        return None


def _entries(found: Mapping[str, Any]) -> tuple[KeyLogEntry, ...]:
    listed = found.get("key_log")
    if not isinstance(listed, list):
        raise UnreachableError("the server answers without a log of keys")
    return tuple(map(KeyLogEntry.read, listed))


def _object(response: httpx.Response) -> dict[str, Any]:
    if len(response.content) > _MOST_BYTES:
        raise ValueError("too long")
    return dict(json.loads(response.content))


def _detail(response: httpx.Response) -> str:
    try:
        said = str(_object(response).get("detail", ""))
    except (ValueError, TypeError):
        said = ""
    return said or f"the server answers HTTP {response.status_code}"
