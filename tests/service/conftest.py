"""A service in this process, over results that a small run left, and who may use it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from starlette.testclient import TestClient

from glean.service.accounts import tokens
from glean.service.accounts.scopes import Scope
from glean.service.app import create_app
from glean.service.services import Services, open_services
from glean.service.settings import ServiceSettings
from glean.service.store.database import Database
from tests.inprocess_runs import config_of, run
from tests.postgres import Cluster
from tests.service.databases import ServiceDatabases, on_postgresql, url_for, wanted_kind
from tests.service.federations import make_federation


@pytest.fixture(scope="session")
def run_of_command_line(tmp_path_factory: pytest.TempPathFactory, three_bakeries: str) -> Path:
    """Folder of a completed run of three bakeries, to be copied."""
    out = tmp_path_factory.mktemp("command-line")
    return run(out, config_of(three_bakeries, num_server_rounds=2))


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that is up to date, to be copied."""
    path = tmp_path_factory.mktemp("database") / "service.db"
    database = Database(f"sqlite:///{path}")
    database.upgrade()
    database.close()
    return path


@pytest.fixture(scope="session")
def postgres_databases(postgres: Cluster) -> ServiceDatabases:
    """Databases of PostgreSQL for services."""
    return ServiceDatabases(postgres)


@pytest.fixture(autouse=True)
def _wanted_database(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Services that aren't told of a database use the one that the tests are to run on."""
    if wanted_kind() == "sqlite":
        yield
        return

    def database_url(settings: ServiceSettings) -> str:
        return settings.database or url_for(settings.home)

    monkeypatch.setattr(ServiceSettings, "database_url", property(database_url))
    with on_postgresql(request.getfixturevalue("postgres_databases")):
        yield


@pytest.fixture
def database(empty_database: Path, tmp_path: Path) -> Iterator[Database]:
    """An empty database that is up to date."""
    path = tmp_path / "service.db"
    shutil.copy(empty_database, path)
    found = Database(url_for(tmp_path) or f"sqlite:///{path}")
    yield found
    found.close()


@pytest.fixture(autouse=True)
def _quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2 takes its time on purpose; how long, no test here asks."""
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(tokens, "_HASHER", quick)


@pytest.fixture
def results(tmp_path: Path, run_of_command_line: Path, empty_database: Path) -> Path:
    """A folder of results with that run in it, and a service's database."""
    folder = tmp_path / "results"
    shutil.copytree(run_of_command_line, folder / run_of_command_line.name)
    (folder / ".service").mkdir()
    shutil.copy(empty_database, folder / ".service" / "service.db")
    return folder


@pytest.fixture
def services(results: Path) -> Iterator[Services]:
    """The parts of a service; no thread looks at the disk by itself."""
    found = open_services(ServiceSettings(results=results, longest_queue=3, upload_mb=1))
    found.discovery.refresh()
    yield found
    found.workers.close()
    found.database.close()


@pytest.fixture
def client(services: Services) -> TestClient:
    """Who talks to it without a token."""
    return TestClient(create_app(services), raise_server_exceptions=False)


@pytest.fixture
def federation(results: Path) -> Iterator[Services]:
    """The parts of a service that bakeries reach."""
    folder = make_federation(results)
    settings = ServiceSettings(results=results, longest_queue=3, federation=folder.path)
    found = open_services(settings)
    found.discovery.refresh()
    yield found
    found.workers.close()
    found.database.close()


def token(services: Services, scope: Scope) -> dict[str, str]:
    """Headers of somebody with a scope."""
    _, text = services.tokens.create(f"somebody with {scope.value}", scope)
    return {"Authorization": f"Bearer {text}"}


@pytest.fixture
def admin(services: Services) -> dict[str, str]:
    """Headers of who may do everything."""
    return token(services, Scope.ADMIN)
