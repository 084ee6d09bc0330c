"""A small typed client of Glean's REST API: copy it, and change what you like.

Needs `httpx2` (`pip install httpx2`). A table is uploaded, a run started on it and watched to its
end, its model put into production, and tomorrow planned:

    GLEAN_TOKEN=glean_... python glean_client.py http://127.0.0.1:8700 sales.csv "Old Market"
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx2

ENDED = {"completed", "failed", "cancelled"}


class GleanApiError(Exception):
    """The service refused a request; `lines` has a line for each thing that is wrong."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        self.status: int = problem["status"]
        self.lines: list[str] = [item["detail"] for item in problem["errors"]]
        super().__init__("\n".join([problem["detail"], *self.lines]))


@dataclass(frozen=True)
class Run:
    """How a run stands."""

    id: str
    status: str
    reason: str
    rounds_done: int
    rounds: int
    score: float | None

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Self:
        """Read an answer of the service."""
        return cls(**{name: answer[name] for name in cls.__dataclass_fields__})


class GleanClient:
    """Speaks to a service.

    Parameters
    ----------
    http : httpx2.Client
        With the service's address as `base_url` and a token among its headers.
    """

    def __init__(self, http: httpx2.Client) -> None:
        self._http = http

    @classmethod
    def at(cls, address: str, token: str) -> Self:
        """Speak to the service at an address."""
        headers = {"Authorization": f"Bearer {token}"}
        return cls(httpx2.Client(base_url=address, headers=headers, timeout=300))

    def upload(self, table: Path) -> str:
        """Upload a sales table; its id."""
        answer = self._send(
            "POST", "/datasets", params={"file": table.name}, content=table.read_bytes()
        )
        return str(answer["id"])

    def start(self, dataset: str, settings: Mapping[str, Any], *, key: str = "") -> Run:
        """Start a run on a table; sent again under the same key it is the same run."""
        body = {"engine": "inprocess", "dataset": dataset, "settings": dict(settings)}
        return Run.of(self._send("POST", "/runs", json=body, headers={"Idempotency-Key": key}))

    def watch(self, run: Run, *, every_s: float = 1.0) -> Iterator[Run]:
        """Yield how a run stands whenever that has changed, to its end."""
        while run.status not in ENDED:
            time.sleep(every_s)
            now = Run.of(self._send("GET", f"/runs/{run.id}"))
            if now != run:
                yield now
            run = now

    def promote(self, run: Run) -> None:
        """Put a run's model into production."""
        self._send("POST", f"/models/{run.id}/promote")

    def plan(self, dataset: str, bakery: str) -> list[dict[str, Any]]:
        """Plan a bakery's next open day by the model in production: a row a product."""
        answer = self._send("POST", "/plans", json={"dataset": dataset, "bakery": bakery})
        return list(answer["rows"])

    def _send(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        answer = self._http.request(method, f"/api/v1{path}", **request)
        content: dict[str, Any] = answer.json()
        if answer.is_error:
            raise GleanApiError(content)
        return content


def main(address: str, table: Path, bakery: str) -> None:
    """Go from a table to a plan."""
    client = GleanClient.at(address, os.environ["GLEAN_TOKEN"])
    dataset = client.upload(table)
    last = asked = client.start(dataset, {"num-server-rounds": 5})
    for last in client.watch(asked):
        print(f"{last.status}, round {last.rounds_done} of {last.rounds}")
    if last.status == "completed":
        client.promote(last)
        for row in client.plan(dataset, bakery):
            print(f"{row['product']}: {row['bake']:g}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
