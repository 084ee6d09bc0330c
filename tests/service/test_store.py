"""The database: brought up to date, locked, read-only, gone; and what is said of it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from unittest import mock

import httpx2
import pytest
import sqlalchemy as sa
from anyio import to_thread
from starlette.testclient import TestClient

from glean.errors import GleanError
from glean.service import results_disk
from glean.service.app import create_app
from glean.service.services import Services, open_services
from glean.service.serving_file import only_service
from glean.service.settings import ServiceSettings
from glean.service.store.database import Database
from tests.service.databases import sqlite_only


def file_of(services: Services) -> Path:
    return services.settings.home / "service.db"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the file as a writer that doesn't end."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    """And left as it is."""
    path = tmp_path / "a.db"
    path.write_text("not a database, and longer than a header of SQLite would be " * 3)
    found = Database(f"sqlite:///{path}")
    with pytest.raises(GleanError, match=r"a\.db: can't be used"):
        found.upgrade()
    found.close()


@sqlite_only
def test_while_the_database_is_locked_nothing_is_lost(
    services: Services, client: TestClient, admin: dict[str, str]
) -> None:
    """A request is answered by 503 and when to come back; readers go on; then all is well."""
    body = {"name": "Ben"}
    services.tokens.prove(admin["Authorization"].removeprefix("Bearer "))
    for connection in (services.database.engine,):
        sa.event.listen(connection, "connect", short_wait)
    services.database.engine.dispose()
    with locked(file_of(services)):
        answer = client.post("/api/v1/tokens", headers=admin, json=body)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "locked" in answer.json()["detail"]
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["database"]) == (503, "database is locked")
        assert client.get("/api/v1/runs", headers=admin).status_code == 200
    assert client.get("/readyz").status_code == 200
    assert client.post("/api/v1/tokens", headers=admin, json=body).status_code == 201


def short_wait(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA busy_timeout = 50")


@sqlite_only
def test_a_database_that_can_not_be_written_is_said(
    services: Services, client: TestClient, admin: dict[str, str]
) -> None:
    """Read-only, as a file system may turn; what is there can still be read."""
    services.tokens.prove(admin["Authorization"].removeprefix("Bearer "))
    sa.event.listen(services.database.engine, "connect", read_only)
    services.database.engine.dispose()
    answer = client.post("/api/v1/tokens", headers=admin, json={"name": "Ben"})
    assert answer.status_code == 503
    ready = client.get("/readyz").json()
    assert not ready["ready"]
    assert "readonly" in ready["database"]
    assert client.get("/api/v1/runs", headers=admin).status_code == 200


def read_only(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA query_only = ON")


def test_a_full_disk_is_said(services: Services, client: TestClient) -> None:
    """Before a run would fail for it."""
    usage = mock.Mock(free=12 * 2**20)
    with mock.patch("shutil.disk_usage", return_value=usage):
        ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["results"]) == (503, "12 MB free; wanted 100 MB")
    with mock.patch.object(results_disk, "write_whole", side_effect=OSError(30, "Read-only")):
        assert client.get("/readyz").json()["results"] == "Read-only"
    assert services.database.check() == ""


def test_a_part_that_can_be_missing_is_said_and_the_service_is_ready(
    services: Services, client: TestClient
) -> None:
    """What couldn't be done is done later; parts that aren't set up have no field."""
    assert client.get("/readyz").json() == {"ready": True, "database": "", "results": ""}
    services.health.add("broker", lambda: "connection refused")
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["broker"]) == (200, "connection refused")


@sqlite_only
def test_a_full_database_is_said(
    services: Services, client: TestClient, admin: dict[str, str]
) -> None:
    """SQLite's own limit stands for a disk without room."""
    services.tokens.prove(admin["Authorization"].removeprefix("Bearer "))
    sa.event.listen(services.database.engine, "connect", full)
    services.database.engine.dispose()
    answers = [
        client.post("/api/v1/tokens", headers=admin, json={"name": "x" * 100}) for _ in range(30)
    ]
    refused = [answer for answer in answers if answer.status_code == 503]
    assert refused
    assert "full" in refused[0].json()["detail"]
    made = sum(answer.status_code == 201 for answer in answers)
    listed = client.get("/api/v1/tokens", headers=admin).json()["tokens"]
    assert len(listed) == made + 1


def full(connection: sqlite3.Connection, _record: object) -> None:
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 1}")


def test_the_thread_that_looks_goes_on_when_the_database_does_not(services: Services) -> None:
    """It says so once, and looks again."""
    supervisor = services.supervisor
    error = sa.exc.OperationalError("", None, Exception("database is locked"))
    with mock.patch.object(services.discovery, "refresh", side_effect=error):
        supervisor._look_once()
        supervisor._look_once()
    assert supervisor._said == "the database can't be used: database is locked"
    supervisor._look_once()
    assert supervisor._said == ""


def test_results_that_can_not_be_written_are_named(tmp_path: Path) -> None:
    """Before anything is served."""
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(GleanError, match="can't keep anything in"):
        open_services(ServiceSettings(results=tmp_path / "taken"))


def test_a_folder_of_results_has_one_service(tmp_path: Path) -> None:
    """A second one is refused in words, and the next one isn't."""
    home = tmp_path / ".service"
    with (
        only_service(home),
        pytest.raises(GleanError, match=r"a service runs over .* already"),
        only_service(home),
    ):
        pass
    with only_service(home):
        pass


def test_it_lives_while_every_thread_waits(services: Services) -> None:
    """For a database that is away, as a rule: to kill it then would help nobody."""

    async def ask() -> int:
        threads = to_thread.current_default_thread_limiter()
        waiting = [object() for _ in range(int(threads.total_tokens))]
        for one in waiting:
            threads.acquire_on_behalf_of_nowait(one)
        transport = httpx2.ASGITransport(create_app(services))
        async with httpx2.AsyncClient(transport=transport, base_url="http://here") as http:
            answer = await asyncio.wait_for(http.get("/healthz"), 10)
        return answer.status_code

    assert asyncio.run(ask()) == 200
