"""The database: opened, brought up to date, and used in transactions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from glean.errors import GleanError, SettingsError
from glean.service.store import postgresql

if TYPE_CHECKING:
    from alembic.config import Config

BUSY_S = 5.0
"""How long a transaction waits for another one's end."""

MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """The service's database, at a URL.

    Parameters
    ----------
    url : str
        Like "sqlite:////srv/glean/service.db" or "postgresql://glean@db.example/glean".

    Raises
    ------
    GleanError
        There is no such database, or its driver is missing.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _open(url)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    @property
    def is_postgresql(self) -> bool:
        """Whether several machines may use it at a time."""
        return self.engine.dialect.name == "postgresql"

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Give a session whose changes all count at the end of the body, or none of them."""
        with self._sessions() as session, session.begin():
            yield session

    def upgrade(self, revision: str = "head") -> None:
        """Bring the tables up to date with this version of Glean, or to an earlier revision.

        Raises
        ------
        GleanError
            They can't be, or are of a later version.
        """
        # Here, since only the beginning of a service needs it.
        from alembic import command

        self._migrate(lambda config: command.upgrade(config, revision))

    def downgrade(self, revision: str) -> None:
        """Take the tables back to a revision, so that an earlier version of Glean can use them.

        What only later ones keep is lost.

        Parameters
        ----------
        revision : str
            Like "0005"; "base" leaves no table.

        Raises
        ------
        GleanError
            They can't be, or are of a later version than this one.
        """
        from alembic import command

        self._migrate(lambda config: command.downgrade(config, revision))

    def revision(self) -> str:
        """Say which revision the tables have; "" where there are none yet.

        Raises
        ------
        GleanError
            The database can't be used.
        """
        from alembic.migration import MigrationContext

        try:
            with self.engine.connect() as connection:
                return MigrationContext.configure(connection).get_current_revision() or ""
        except SQLAlchemyError as error:
            raise GleanError(f"{self.name}: can't be used ({reason_of(error)})") from error

    def check(self) -> str:
        """Say why nothing can be written just now; "" where it can."""
        try:
            with self.engine.connect() as connection:
                for setting in _PROBE_WAITS[self.engine.dialect.name]:
                    connection.exec_driver_sql(setting)
                connection.execute(_PROBE)
                connection.rollback()
                return ""
        except SQLAlchemyError as error:
            return reason_of(error)

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()

    @property
    def name(self) -> str:
        """Where it is, without its password."""
        return self.engine.url.render_as_string(hide_password=True)

    def _migrate(self, run: Callable[[Config], None]) -> None:
        from alembic.util import CommandError

        config = _migrations()
        try:
            with self.engine.begin() as connection:
                if self.is_postgresql:
                    # Two that start at the same moment make the tables one after the other.
                    connection.execute(_ONE_AT_A_TIME)
                config.attributes["connection"] = connection
                run(config)
        except CommandError as error:
            raise GleanError(
                f"{self.name}: can't be brought up to date ({error}); is it of a later version of "
                "Glean? Use that one, or move the database away and start with an empty one"
            ) from error
        except SQLAlchemyError as error:
            raise GleanError(f"{self.name}: can't be used ({reason_of(error)})") from error


def latest_revision() -> str:
    """Say which revision this version's tables have."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_migrations()).get_current_head() or ""


def _migrations() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def reason_of(error: SQLAlchemyError) -> str:
    """Say in a few words what the database wouldn't do, without the statement and its values."""
    if isinstance(error, sa.exc.TimeoutError):
        return "all connections to it are in use"
    found = getattr(error, "orig", None) or error
    return (postgresql.words_of(found) or str(found) or type(found).__name__).splitlines()[0]


def refuses_value(error: SQLAlchemyError) -> bool:
    """Whether it isn't the database that is amiss but what it was to keep or to compare."""
    return postgresql.refuses_value(getattr(error, "orig", None) or error)


_PROBE = sa.text("DELETE FROM sessions WHERE id = ''")
"""Changes nothing, yet wants to write."""


_PROBE_WAITS = {
    "sqlite": ("PRAGMA busy_timeout = 500",),
    "postgresql": ("SET LOCAL lock_timeout = 500", "SET LOCAL statement_timeout = 2000"),
}
"""So that whoever asks doesn't wait long; PostgreSQL forgets it with the transaction."""

_ONE_AT_A_TIME = sa.text("SELECT pg_advisory_xact_lock(702937418)")
"""Any number will do that nobody else takes."""


def _open(text: str) -> sa.Engine:
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        # Not repeated: there may be a password in it.
        raise SettingsError(f"--database: found no URL; wanted {_WANTED}") from None
    if url.get_backend_name() in ("postgresql", "postgres"):
        return postgresql.open_engine(url)
    if url.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise SettingsError(f"--database: found {url.drivername}://; wanted {_WANTED}")
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_S}, hide_parameters=True)
    sa.event.listen(engine, "connect", _set_up_sqlite)
    return engine


_WANTED = "sqlite:////FOLDER/FILE or postgresql://USER:PASSWORD@HOST/NAME"


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    """Readers don't wait for the writer (WAL); a commit is safe against a kill of the process."""
    cursor = connection.cursor()
    try:
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
            cursor.execute(f"PRAGMA {pragma}")
    finally:
        cursor.close()
