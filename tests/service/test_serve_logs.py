"""What `glean serve --log-format json` writes: requests, migrations and errors, a line each."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from glean.observability.log_context import FIELDS
from glean.service.services import Services
from tests import processes
from tests.processes import REPOSITORY
from tests.service.test_metrics import scraped

Line = dict[str, Any]


def started(folder: Path, *words: str, **variables: str) -> subprocess.Popen[str]:
    env = processes.environment(folder / "flower", PYTHONPATH=str(REPOSITORY), **variables)
    return subprocess.Popen(
        [sys.executable, "-m", "glean", "serve", "--init", "--port", "0", *words],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def read_until(process: subprocess.Popen[str], start: str, found: list[Line]) -> Line:
    """Read lines until one whose event begins so; every one is JSON."""
    assert process.stderr is not None
    for text in process.stderr:
        found.append(json.loads(text))
        if found[-1]["event"].startswith(start):
            return found[-1]
    raise AssertionError(f"it ended before {start!r}; it said {found}")


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A service that logs so; ended at the end."""
    pytest.importorskip("structlog")
    found = started(tmp_path, "--log-format", "json")
    yield found
    found.terminate()
    found.communicate(timeout=30)


def test_a_service_logs_json_and_no_secret(process: subprocess.Popen[str]) -> None:
    """From its migrations to its end; who asked is told by name and by the token's prefix."""
    lines: list[Line] = []
    address = read_until(process, "serving ", lines)["event"].split()[1]
    assert any(line["logger"] == "alembic.runtime.migration" for line in lines)
    assert process.stdout is not None
    token = process.stdout.readline().removeprefix("token: ").strip()
    bearer = {"Authorization": f"Bearer {token}"}
    with httpx2.Client(base_url=address) as http:
        assert http.get("/readyz").status_code == 200
        given = {"X-Request-ID": "from-a-proxy.1"}
        answer = http.get("/api/v1/runs?status=queued", headers=bearer | given)
        assert answer.headers["x-request-id"] == "from-a-proxy.1"
        wrong = bearer["Authorization"][:-4] + "none"
        bad = {"Authorization": wrong, "X-Request-ID": "two\twords"}
        answer = http.get("/api/v1/runs?token=hunter2", headers=bad)
        assert re.fullmatch("[0-9a-f]{16}", answer.headers["x-request-id"])
        made = http.post("/api/v1/tokens", headers=bearer, json={"name": "Ben"}).json()["token"]
        http.get("/last", headers=bearer)
    read_until(process, "GET /last", lines)
    process.terminate()
    _, rest = process.communicate(timeout=30)
    lines += [json.loads(text) for text in rest.splitlines()]
    text = json.dumps(lines)
    assert not any(secret in text for secret in (token, made, wrong.split("_")[-1], "hunter2"))
    (asked,) = [line for line in lines if line.get("request") == "from-a-proxy.1"]
    wanted = {"method": "GET", "path": "/api/v1/runs", "status": 200, "user": "first token"}
    assert {name: asked[name] for name in wanted} == wanted
    assert asked["token"] == token.split("_")[1]
    assert {name for line in lines for name in line} <= set(FIELDS), "docs/observability.md"
    refused = [line for line in lines if line.get("action") == "login.refused"]
    assert [line["request"] for line in refused] == [answer.headers["x-request-id"]]
    assert not any(line.get("path") == "/readyz" for line in lines), "machines ask that often"


def test_what_keeps_it_from_serving_is_a_line_too(tmp_path: Path) -> None:
    """With the exit code that it has as text; a password in a URL isn't told."""
    pytest.importorskip("structlog")
    url = "postgresql+nothing://glean:hunter2@127.0.0.1/glean"
    process = started(tmp_path, "--database", url, GLEAN_LOG_FORMAT="json")
    _, said = process.communicate(timeout=60)
    lines = [json.loads(text) for text in said.splitlines()]
    assert process.returncode == 2
    assert [line["level"] for line in lines] == ["warning", "error"]
    assert "processes" in lines[0]["event"], "whoever types a password is warned"
    assert "hunter2" not in said


def test_an_answer_of_500_has_the_id_of_its_lines(
    services: Services, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By which whoever reports it is found in the log."""
    monkeypatch.setattr(services.health, "look", lambda: 1 / 0)
    answer = client.get("/readyz", headers={"X-Request-ID": "x1"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (500, "x1")


def test_a_scrape_is_an_ordinary_request(client: TestClient, admin: dict[str, str]) -> None:
    """It has an id as all have."""
    assert scraped(client, admin)
    assert client.get("/metrics", headers=admin).headers["x-request-id"]
