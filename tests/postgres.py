"""A PostgreSQL of the tests' own: on loopback, in a scratch folder, killed and brought back.

Debian's programs lie in `/usr/lib/postgresql/*/bin` and refuse to be root's; the server is then
that of the user `postgres`. What these tests ask outlives a kill of processes, not a power cut: the
server doesn't wait for the disk.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from glean.federation.launch.watchdog import watch
from tests.processes import end, free_port, wait_until

USER, OWNER = "glean", "postgres"
START_LIMIT_S = 60.0

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",  # its workers would come and go among the processes that tests count
    "max_connections": "200",
    "shared_buffers": "32MB",
    "log_statement": "none",
    "log_min_error_statement": "panic",
}


@cache
def programs() -> Path | None:
    """Folder of `initdb` and `postgres`; None where this machine lacks them."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "postgres").exists()), None)


class Cluster:
    """A server with databases of its own.

    Parameters
    ----------
    folder : Path
        Of its own; whoever runs the server must be able to reach it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.password = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None
        (folder / "password").write_text(self.password)
        if _as_other_user():
            for path in (folder, folder / "password"):
                shutil.chown(path, OWNER, OWNER)
        # With an order of texts that isn't that of their bytes, as most installed ones have.
        subprocess.run(
            [
                *_command("initdb", f"--pgdata={self._data}", f"--username={USER}", "--no-sync"),
                *("--auth=scram-sha-256", f"--pwfile={folder / 'password'}", "--encoding=UTF8"),
                *("--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"),
            ],
            check=True,
            capture_output=True,
            cwd=folder,
        )

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> str:
        """What the server said."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    @property
    def pid(self) -> int:
        """The server's first process."""
        assert self._process is not None, "it doesn't run"
        return self._process.pid

    def url(self, database: str = "postgres") -> str:
        """Where a database is, as a person types it."""
        return f"postgresql://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server, and wait until it answers; also after it was killed."""
        settings = {**_SETTINGS, "port": str(self.port), "unix_socket_directories": self.folder}
        words = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                _command("postgres", "-D", str(self._data), *words),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        # Should these tests be killed, it goes too.
        self._watcher = watch(self._process.pid)
        wait_until(self._answers, "PostgreSQL answers", limit_s=START_LIMIT_S)

    def kill(self) -> None:
        """End all its processes at once, as `kill -9` of each does."""
        assert self._process is not None, "it doesn't run"
        found = psutil.Process(self._process.pid)
        end([found, *found.children(recursive=True)])
        self._put_away()

    def stop(self) -> None:
        """End it in good order, whoever is connected; once more does no harm."""
        if self._process is None:
            return
        self._process.send_signal(2)  # SIGINT: "fast"
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
        self._put_away()

    def make(self, database: str, template: str = "") -> str:
        """Make a database, empty or a copy of another one that nobody uses just now; its URL."""
        copied = f' TEMPLATE "{template}" STRATEGY = FILE_COPY' if template else ""
        self.execute(f'CREATE DATABASE "{database}"{copied}')
        return self.url(database)

    def drop(self, database: str) -> None:
        """Delete a database, whoever uses it."""
        self.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')

    def execute(self, statement: str, database: str = "postgres") -> list[sa.Row[tuple[object]]]:
        """Have the server do something, outside of a transaction; what it gives back."""
        url = self.url(database).replace("postgresql:", "postgresql+pg8000:")
        engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            found = connection.exec_driver_sql(statement)
            return list(found) if found.returns_rows else []

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"PostgreSQL ended by itself:\n{self.log[-2000:]}"
        try:
            self.execute("SELECT 1")
        except SQLAlchemyError:
            return False
        return True

    def _put_away(self) -> None:
        for process in (self._process, self._watcher):
            if process is not None:
                process.communicate()
        self._process = self._watcher = None


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """A server that runs until the end of the body; skips where there are no programs for it."""
    pytest.importorskip("pg8000", reason="found no pg8000; wanted glean[postgres]")
    if programs() is None:
        pytest.skip("found no initdb and postgres; wanted Debian's package postgresql")
    # Not in pytest's own folder, which another user can't enter.
    folder = Path(tempfile.mkdtemp(prefix="glean-postgres-"))
    try:
        found = Cluster(folder)
        try:
            found.start()
            yield found
        finally:
            found.stop()
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A server that many tests share, each with a database of its own; not to be killed."""
    with running_cluster() as found:
        yield found


@pytest.fixture
def postgres_database(postgres: Cluster) -> Iterator[str]:
    """URL of an empty database."""
    name = f"t{secrets.token_hex(6)}"
    yield postgres.make(name)
    postgres.drop(name)


@pytest.fixture
def own_postgres() -> Iterator[Cluster]:
    """A server of this test alone: it may be killed."""
    with running_cluster() as found:
        yield found


def _as_other_user() -> bool:
    return os.getuid() == 0


def _command(program: str, *words: str) -> Sequence[str]:
    folder = programs()
    assert folder is not None
    typed = [str(folder / program), *words]
    if not _as_other_user():
        return typed
    # It puts the program in its own place, so that the process is the program's.
    return ["setpriv", f"--reuid={OWNER}", f"--regid={OWNER}", "--clear-groups", *typed]
