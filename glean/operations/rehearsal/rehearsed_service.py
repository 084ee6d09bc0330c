"""The service of a rehearsal, spoken to as an operator's programs do: REST, over its own TLS."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from glean.errors import FederationError

_LIMIT_S = 60.0


class RehearsedService:
    """A client of the service's REST API.

    Parameters
    ----------
    address : str
        Like "https://localhost:40123/".
    token : str
        Of who may do everything.
    authority : Path
        Certificate by which the service is known.
    """

    def __init__(self, address: str, token: str, authority: Path) -> None:
        self.address = address
        self.token = token
        found = urlsplit(address)
        self._host, self._port = found.hostname or "", found.port
        self._context = ssl.create_default_context(cafile=str(authority))

    def invite(self, bakery: str) -> str:
        """Invite a bakery; its link."""
        return str(self._send("POST", "/invitations", {"bakery": bakery})["link"])

    def members(self) -> dict[str, str]:
        """Say how each member stands, by name."""
        found = self._send("GET", "/members")["members"]
        return {one["name"]: one["state"] for one in found}

    def start_run(self, connection: str, settings: Mapping[str, Any]) -> str:
        """Ask for a run; its id."""
        body = {"engine": "deployment", "connection": connection, "settings": dict(settings)}
        return str(self._send("POST", "/runs", body)["id"])

    def run(self, run_id: str) -> dict[str, Any]:
        """Say how a run stands."""
        return self._send("GET", f"/runs/{run_id}")

    def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        connection = http.client.HTTPSConnection(
            self._host, self._port, context=self._context, timeout=_LIMIT_S
        )
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/json",
            "Accept-Language": "en",
        }
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, f"/api/v1{path}", content, headers)
            answer = connection.getresponse()
            found = json.loads(answer.read() or b"{}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise FederationError(
                f"the service of the rehearsal doesn't answer: {error}"
            ) from error
        finally:
            connection.close()
        if answer.status >= http.client.BAD_REQUEST:
            lines = [str(item.get("detail")) for item in found.get("errors", [])]
            raise FederationError("\n".join([str(found.get("detail", answer.status)), *lines]))
        return dict(found)
