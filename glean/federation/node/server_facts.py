"""What a server says of itself before it is known: taken only with the invitation's fingerprint."""

from __future__ import annotations

import datetime as dt
import ssl
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx

from glean.federation.node.member_paths import AUTHORITY, RELEASE_HEADER
from glean.federation.node.server_errors import (
    ForeignServerError,
    UnreachableError,
    plain_errors,
)
from glean.privacy.certificates import authority_fingerprint, authority_of
from glean.runs.log_lines import visible

_LIMIT_S = 20.0
_LONGEST_RELEASE, _LONGEST_AUTHORITY = 40, 100_000


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


def fetch_facts(address: str, fingerprint: bytes) -> ServerFacts:
    """Fetch the authority's certificate, and take it only if it is the invitation's.

    Whoever answers isn't known yet: nothing is sent to it, and what it sends counts for nothing
    unless it has the fingerprint.

    Parameters
    ----------
    address : str
        HOST:PORT of the server.
    fingerprint : bytes
        SHA-256 of the certificate in DER.

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
    with (
        plain_errors(address),
        httpx.Client(verify=unknown, timeout=_LIMIT_S, trust_env=False) as client,
        client.stream("GET", f"https://{address}{AUTHORITY}") as response,
    ):
        content = _read(response, most=_LONGEST_AUTHORITY)
    if response.status_code != httpx.codes.OK:
        raise UnreachableError(f"{address} answers HTTP {response.status_code}")
    sent = authority_fingerprint(content)
    if sent is None:
        raise UnreachableError(
            f"{address} answers with something else than a certificate: it isn't a server of Glean"
        )
    found = authority_of(content, fingerprint)
    if found is None:
        raise ForeignServerError(
            f"whoever answers at {address} isn't the server that invited: found the fingerprint "
            f"{sent.hex()[:16]}…, the invitation has {fingerprint.hex()[:16]}…. Ask the operator "
            "for a new invitation, by a way that you trust"
        )
    release = visible(response.headers.get(RELEASE_HEADER, "")[:_LONGEST_RELEASE])
    return ServerFacts(found, _time(response), release)


def _read(response: httpx.Response, *, most: int) -> bytes:
    """Read an answer, but no more of it than there may be.

    Raises
    ------
    ValueError
        There is more.
    """
    content = b""
    for part in response.iter_bytes():
        content += part
        if len(content) > most:
            raise ValueError("too long")
    return content


def _time(response: httpx.Response) -> dt.datetime | None:
    try:
        return parsedate_to_datetime(response.headers.get("date", ""))
    except ValueError:
        return None
