"""Settings that new runs have unless they are told otherwise."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from glean.service.store.database import Database
from glean.service.store.tables import DefaultRow
from glean.settings import ConfigValue


class RunDefaults:
    """The settings that the operator has chosen for new runs.

    Parameters
    ----------
    database : Database
        Where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> dict[str, ConfigValue]:
        """Give those that were chosen."""
        with self._database.transaction() as session:
            rows = session.scalars(sa.select(DefaultRow).order_by(DefaultRow.key))
            return {row.key: row.value["value"] for row in rows}

    def replace(self, chosen: Mapping[str, ConfigValue]) -> None:
        """Choose these in place of all chosen before; already checked."""
        with self._database.transaction() as session:
            session.execute(sa.delete(DefaultRow))
            session.add_all(DefaultRow(key=key, value={"value": v}) for key, v in chosen.items())
