"""The database: opened, brought up to date, and used in transactions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from glean.errors import GleanError

BUSY_S = 5.0
"""How long a transaction waits for another one's end."""

MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """The service's database, at SQLAlchemy's URL.

    Parameters
    ----------
    url : str
        Like "sqlite:////srv/glean/service.db" or "postgresql+psycopg://...".
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = sa.create_engine(url, **_arguments(url))
        if self.engine.dialect.name == "sqlite":
            sa.event.listen(self.engine, "connect", _set_up_sqlite)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Give a session whose changes all count at the end of the body, or none of them."""
        with self._sessions() as session, session.begin():
            yield session

    def upgrade(self) -> None:
        """Bring the tables up to date with this version of Glean.

        Raises
        ------
        GleanError
            They can't be, or are of a later version.
        """
        # Here, since only the beginning of a service needs it.
        from alembic import command
        from alembic.config import Config
        from alembic.util import CommandError

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        try:
            with self.engine.begin() as connection:
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except CommandError as error:
            raise GleanError(
                f"{self._name}: can't be brought up to date ({error}); is it of a later version of "
                "Glean? Use that one, or move the file away and start with an empty one"
            ) from error
        except SQLAlchemyError as error:
            raise GleanError(f"{self._name}: can't be used ({reason_of(error)})") from error

    def check(self) -> str:
        """Say why nothing can be written just now; "" where it can."""
        try:
            with self.engine.connect() as connection:
                if self.engine.dialect.name == "sqlite":
                    connection.exec_driver_sql("PRAGMA busy_timeout = 500")
                connection.execute(_PROBE)
                connection.rollback()
                return ""
        except SQLAlchemyError as error:
            return reason_of(error)

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()

    @property
    def _name(self) -> str:
        return self.engine.url.render_as_string(hide_password=True)


def reason_of(error: SQLAlchemyError) -> str:
    """Say in a few words what the database wouldn't do, without the statement and its values."""
    return str(getattr(error, "orig", None) or error).splitlines()[0]


_PROBE = sa.text("DELETE FROM sessions WHERE id = ''")
"""Changes nothing, yet wants to write."""


def _arguments(url: str) -> dict[str, Any]:
    if not url.startswith("sqlite"):
        return {"pool_pre_ping": True}
    return {"connect_args": {"timeout": BUSY_S}}


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    """Readers don't wait for the writer (WAL); a commit is safe against a kill of the process."""
    cursor = connection.cursor()
    try:
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
            cursor.execute(f"PRAGMA {pragma}")
    finally:
        cursor.close()
