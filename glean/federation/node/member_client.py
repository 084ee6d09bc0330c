"""What a bakery asks of its federation's server beside Flower's messages, over pinned TLS.

Every call checks the server's certificate by the authority that `server_facts.py` has fetched, and
but for the registration each is signed by the bakery's key.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import httpx

from glean.errors import FederationError
from glean.federation.node import member_paths
from glean.federation.node.member_auth import MemberAuth
from glean.federation.node.server_errors import (
    NotAdmittedError,
    UnreachableError,
    plain_errors,
)
from glean.privacy.key_log import KeyLogEntry
from glean.privacy.members import folder_name
from glean.privacy.request_signature import RequestSigner
from glean.runs.log_lines import visible

_LIMIT_S = 20.0
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
        CertificateError
            The name can't be a bakery's.
        """
        texts = [found.get(name, "") for name in ("bakery", "federation", "release", "model_key")]
        if not all(isinstance(text, str) for text in texts):
            raise UnreachableError("the server answers with something else than a welcome")
        bakery, federation, release, model_key = texts
        folder_name(bakery)
        return cls(bakery, visible(federation), visible(release), model_key)


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
            self._client.get(member_paths.AUTHORITY).raise_for_status()

    def leave(self) -> None:
        """Say that this bakery leaves its federation.

        Raises
        ------
        NotAdmittedError, UnreachableError, ForeignServerError
            As of `membership`.
        """
        with plain_errors(self._address):
            response = self._client.request("POST", member_paths.LEAVE, auth=self._auth)
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
            response = self._client.post(member_paths.REGISTRATION, json=dict(registration))
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
        return Welcome.read(self._get(member_paths.MEMBERSHIP))

    def key_log(self, since: int) -> tuple[KeyLogEntry, ...]:
        """Ask for the log of keys from an entry's number on.

        Raises
        ------
        NotAdmittedError, UnreachableError, ForeignServerError
            As of `membership`.
        KeyLogError
            What came aren't entries.
        """
        return _entries(self._get(f"{member_paths.KEY_LOG}?since={since}"))

    def _get(self, target: str) -> dict[str, Any]:
        with plain_errors(self._address):
            response = self._client.get(target, auth=self._auth)
            if response.status_code in (401, 403):
                raise NotAdmittedError(_detail(response))
            response.raise_for_status()
            return _object(response)


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
        said = visible(str(_object(response).get("detail", "")))
    except (ValueError, TypeError):
        said = ""
    return said or f"the server answers HTTP {response.status_code}"
