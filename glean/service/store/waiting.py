"""Waiting for a database's server that isn't there yet, as when all machines start at once."""

from __future__ import annotations

import logging
import time

from sqlalchemy.exc import SQLAlchemyError

from glean.service.store import postgresql
from glean.service.store.database import Database, reason_of

LOG = logging.getLogger("glean.service")

LIMIT_S = 60.0
_EVERY_S = 0.5


def wait_until_there(database: Database) -> None:
    """Wait until a database's server answers, or a minute has passed.

    What is wrong then, or what waiting doesn't mend, whoever uses the database finds out.

    Parameters
    ----------
    database : Database
        A SQLite file is there at once.
    """
    deadline = time.monotonic() + LIMIT_S
    said = False
    while (away := _why_away(database)) and time.monotonic() < deadline:
        if not said:
            LOG.warning("%s: waits for the database (%s)", database.name, away)
        said = True
        time.sleep(_EVERY_S)


def _why_away(database: Database) -> str:
    try:
        with database.engine.connect():
            return ""
    except SQLAlchemyError as error:
        away = postgresql.is_away(getattr(error, "orig", None) or error)
        return reason_of(error) if away else ""
