"""What holds for a service and all its workers, wherever they run: kept in their database."""

from __future__ import annotations

import secrets
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from glean.errors import GleanError
from glean.runs.folder import write_whole
from glean.service.store.conflicts import insert_unless_there
from glean.service.store.database import Database
from glean.service.store.tables import FactRow, RunRow

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
        """Id of the service; "" before the service has ever run."""
        with self._database.transaction() as session:
            return _value(session, _ID)

    def settle_id(self, beside: Path, *, anew: bool = False) -> str:
        """Have the same id in the database and in a file, by which workers know the folder.

        Parameters
        ----------
        beside : Path
            The file.
        anew : bool
            Whether the list of runs is about to be made anew, from whichever folder it is.

        Raises
        ------
        GleanError
            The database has a list of the runs of another folder, which would be forgotten here.
        OSError
            It can't be written.
        """
        known, own = read_id(beside), self.service_id
        if own and known != own and not anew and self._lists_runs():
            raise GleanError(
                f"the database lists the runs of another folder than {beside.parent.parent}: found "
                f"{known or 'none'} for its id, wanted {own}. Those that aren't there would be "
                "forgotten: name the folder of that service (--results), or another database "
                "(--database). If its folder is lost, --rebuild makes the list anew from this one"
            )
        wanted = own or known or secrets.token_hex(8)
        if known != wanted:
            write_whole(beside, wanted.encode())  # first, so that no worker finds the other alone
        with self._database.transaction() as session:
            insert_unless_there(session, FactRow, [{"name": _ID, "value": wanted}])
        return wanted

    def _lists_runs(self) -> bool:
        with self._database.transaction() as session:
            return session.scalar(sa.select(RunRow.id).limit(1)) is not None

    @property
    def keeps_events(self) -> bool:
        """Whether events of runs are kept in the database: a broker shall get them."""
        with self._database.transaction() as session:
            return keeps_events(session)

    def keep_events(self, *, yes: bool) -> None:
        """Say whether events of runs are kept from now on."""
        value = "yes" if yes else "no"
        with self._database.transaction() as session:
            insert_unless_there(session, FactRow, [{"name": _KEEPS_EVENTS, "value": value}])
            session.execute(
                sa.update(FactRow).where(FactRow.name == _KEEPS_EVENTS).values(value=value)
            )


def read_id(path: Path) -> str:
    """Read the service's id from its file; "" where there is none."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def keeps_events(session: Session) -> bool:
    """Whether events of runs are kept, within a transaction."""
    return _value(session, _KEEPS_EVENTS) == "yes"


def _value(session: Session, name: str) -> str:
    return session.scalar(sa.select(FactRow.value).where(FactRow.name == name)) or ""
