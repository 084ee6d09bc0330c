"""The service's database at PostgreSQL: reached, locked, killed and brought back, in words."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from glean.errors import GleanError, SettingsError
from glean.service.accounts.scopes import Scope
from glean.service.app import create_app
from glean.service.services import Services, open_services
from glean.service.settings import ServiceSettings
from glean.service.store import postgresql, waiting
from glean.service.store.database import Database, reason_of, refuses_value
from glean.service.store.tables import AuditRow
from glean.service.store.waiting import wait_until_there
from tests.postgres import Cluster
from tests.processes import wait_until
from tests.service.conftest import token

BODY = {"name": "Ben"}


def services_at(results: Path, url: str) -> Services:
    return open_services(ServiceSettings(results=results, database=url))


@pytest.fixture
def stored(results: Path, postgres_database: str) -> Iterator[Services]:
    """The parts of a service whose database is at PostgreSQL."""
    found = services_at(results, postgres_database)
    found.discovery.refresh()
    yield found
    found.workers.close()
    found.database.close()


@pytest.fixture
def caller(stored: Services) -> TestClient:
    """Who may do everything there."""
    return TestClient(
        create_app(stored), raise_server_exceptions=False, headers=token(stored, Scope.ADMIN)
    )


def test_while_a_table_is_locked_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch, stored: Services, caller: TestClient
) -> None:
    """A request is answered by 503 and when to come back; readers go on; then all is well."""
    caller.get("/api/v1/runs")  # the token's use is noted once a while
    monkeypatch.setattr(postgresql, "LOCK_S", 0.2)
    patient = stored.database
    with closing(Database(patient.url)) as other, other.engine.begin() as holder:
        holder.execute(sa.text("LOCK TABLE tokens, sessions IN SHARE MODE"))
        with closing(Database(patient.url)) as hasty:
            stored.tokens._database = hasty
            answer = caller.post("/api/v1/tokens", json=BODY)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert "lock timeout" in answer.json()["detail"]
            ready = caller.get("/readyz")
            assert ready.status_code == 503
            assert "timeout" in ready.json()["database"]
            assert caller.get("/api/v1/runs").status_code == 200
            stored.tokens._database = patient
    assert caller.get("/readyz").status_code == 200
    assert caller.post("/api/v1/tokens", json=BODY).status_code == 201


def test_a_database_that_can_not_be_written_is_said(
    postgres: Cluster, stored: Services, caller: TestClient
) -> None:
    """As a standby is; what is there can still be read."""
    caller.get("/api/v1/runs")
    name = stored.database.engine.url.database
    postgres.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    stored.database.close()
    assert caller.post("/api/v1/tokens", json=BODY).status_code == 503
    ready = caller.get("/readyz").json()
    assert not ready["ready"]
    assert "read-only transaction" in ready["database"]
    assert caller.get("/api/v1/runs").status_code == 200


def test_what_the_server_can_not_hold_is_refused_or_marked(
    stored: Services, caller: TestClient
) -> None:
    """A number too large is the request's fault; of a text only the character is gone."""
    assert caller.get(f"/api/v1/audit-log?before={2**63 - 1}").status_code == 200
    assert caller.get("/api/v1/runs/a%00b").status_code == 404
    stored.audit_log.note("a\0b", "x")
    assert stored.audit_log.latest(before=None, limit=1)[0].actor == "a\ufffdb"
    with (
        pytest.raises(sa.exc.DBAPIError) as raised,
        stored.database.transaction() as session,
    ):
        session.scalars(sa.select(AuditRow).where(AuditRow.number > 2**40))
    assert refuses_value(raised.value)
    assert "out of range" in reason_of(raised.value)


def test_a_killed_server_is_said_and_nothing_of_it_is_lost(
    own_postgres: Cluster, results: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What was answered is there after two kills amid requests; no secret is told."""
    services = services_at(results, own_postgres.url())
    services.discovery.refresh()
    caller = TestClient(
        create_app(services), raise_server_exceptions=False, headers=token(services, Scope.ADMIN)
    )
    kept: list[str] = []
    answers: set[int] = set()
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            answer = caller.post("/api/v1/tokens", json=BODY)
            answers.add(answer.status_code)
            if answer.status_code == 201:
                kept.append(answer.json()["id"])

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(2):
            before = len(kept)
            wait_until(lambda before=before: len(kept) > before + 3, "tokens are made")  # type: ignore[misc]
            own_postgres.kill()
            ready = caller.get("/readyz")
            assert ready.status_code == 503
            assert ready.json()["database"] == "it can't be reached: Connection refused"
            assert caller.get("/api/v1/runs").status_code == 503
            assert caller.get("/healthz").status_code == 200
            own_postgres.start()
            assert caller.get("/readyz").status_code == 200
    finally:
        ended.set()
        asking.join()
    assert answers == {201, 503}
    there = {row.id for row in services.tokens.all()}
    assert set(kept) <= there
    assert own_postgres.password not in caplog.text
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]
    services.workers.close()
    services.database.close()


def test_a_server_that_comes_later_is_waited_for(
    own_postgres: Cluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A while, and that is said once."""
    database = Database(own_postgres.url())
    wait_until_there(database)
    own_postgres.stop()
    later = threading.Timer(1.0, own_postgres.start)
    later.start()
    wait_until_there(database)
    later.join()
    assert database.revision() == ""
    said = [r.message for r in caplog.records if "waits" in r.message]
    assert len(said) == 1
    assert "can't be reached" in said[0]
    own_postgres.stop()
    monkeypatch.setattr(waiting, "LIMIT_S", 0.1)
    wait_until_there(database)
    with pytest.raises(GleanError, match="can't be reached"):
        database.upgrade()
    database.close()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"password": "wrong"}, "password authentication failed"),
        ({"database": "none"}, 'database "none" does not exist'),
        ({"query": {"sslmode": "require"}}, "Server refuses SSL"),
        ({"port": 1}, "can't be reached: Connection refused"),
    ],
)
def test_why_it_can_not_be_used_is_said_without_the_password(
    postgres: Cluster, change: dict[str, Any], said: str
) -> None:
    """With where it was looked for."""
    url = sa.make_url(postgres.url()).set(**change)
    database = Database(url.render_as_string(hide_password=False))
    with pytest.raises(GleanError) as raised:
        database.upgrade()
    assert said in str(raised.value)
    assert "127.0.0.1" in str(raised.value)
    assert postgres.password not in str(raised.value)
    assert said in database.check()
    assert postgres.password not in repr(database.engine)
    database.close()


def test_the_password_may_come_by_itself(
    monkeypatch: pytest.MonkeyPatch, postgres: Cluster
) -> None:
    """In libpq's variable; by the Unix socket as well."""
    monkeypatch.setenv("PGPASSWORD", postgres.password)
    bare = postgres.url().replace(f":{postgres.password}@", "@")
    for url in (bare, f"{bare}?host={postgres.folder}&application_name=till"):
        with closing(Database(url)) as database, database.engine.connect() as connection:
            by = connection.scalar(sa.text("SELECT inet_server_addr()::text"))
            assert (by is None) == ("?host=" in url)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://ada:secret@db:x/glean", "found no URL"),
        ("secret", "found no URL"),
        ("mysql://ada:secret@db/glean", "found mysql://; wanted sqlite:"),
        ("postgresql+psycopg://ada:secret@db/glean", r"found postgresql\+psycopg://; wanted"),
        ("postgresql://db/glean", "found no user"),
        ("postgresql://ada:secret@db/glean?sslmode=maybe", "found sslmode=maybe; wanted one of"),
        ("postgresql://ada:secret@db/glean?password=secret", r"found \?password; wanted only"),
    ],
)
def test_a_url_that_is_none_of_ours_is_refused_without_repeating_it(url: str, said: str) -> None:
    """There may be a password in it."""
    if url.startswith("postgresql"):
        pytest.importorskip("pg8000", reason="found no pg8000; wanted glean[postgres]")
    with pytest.raises(SettingsError, match=said) as raised:
        Database(url)
    assert "secret" not in str(raised.value)


def test_a_statement_ends_in_time(monkeypatch: pytest.MonkeyPatch, postgres_database: str) -> None:
    """On the server, and where the server is silent, here."""
    monkeypatch.setattr(postgresql, "STATEMENT_S", 0.2)
    with closing(Database(postgres_database)) as database:
        with (
            pytest.raises(sa.exc.DBAPIError, match="statement timeout"),
            database.engine.connect() as connection,
        ):
            connection.execute(sa.text("SELECT pg_sleep(30)"))
        assert database.revision() == ""
    monkeypatch.setattr(postgresql, "STATEMENT_S", 60.0)
    monkeypatch.setattr(postgresql, "ANSWER_S", 0.2)
    with closing(Database(postgres_database)) as database:
        with (
            pytest.raises(sa.exc.DBAPIError, match="no answer in time"),
            database.engine.connect() as connection,
        ):
            connection.execute(sa.text("SELECT pg_sleep(30)"))
        assert database.revision() == ""
