"""What holds for a service and all its workers, wherever they run: kept in their database."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from sqlalchemy.orm import Session

from glean.service.store.conflicts import insert_unless_there
from glean.service.store.database import Database
from glean.service.store.tables import FactRow

_ID, _KEEPS_EVENTS = "service_id", "keeps_events"


class ServiceFacts:
    """Facts that the service writes and workers read.

    Parameters
    ----------
    database : Database
        Where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def service_id(self) -> str:
        """Id of the service, made when it is first asked for."""
        with self._database.transaction() as session:
            insert_unless_there(session, FactRow, [{"name": _ID, "value": secrets.token_hex(8)}])
            return _value(session, _ID)

    @property
    def keeps_events(self) -> bool:
        """Whether events of runs are kept in the database: a broker shall get them."""
        with self._database.transaction() as session:
            return _value(session, _KEEPS_EVENTS) == "yes"

    def keep_events(self, *, yes: bool) -> None:
        """Say whether events of runs are kept from now on."""
        value = "yes" if yes else "no"
        with self._database.transaction() as session:
            insert_unless_there(session, FactRow, [{"name": _KEEPS_EVENTS, "value": value}])
            session.execute(
                sa.update(FactRow).where(FactRow.name == _KEEPS_EVENTS).values(value=value)
            )


def _value(session: Session, name: str) -> str:
    return session.scalar(sa.select(FactRow.value).where(FactRow.name == name)) or ""
