"""Bakeries that stay away: told once, after some days in which they were asked for."""

from __future__ import annotations

import time

from glean.service.alerts.outbox import AlertOutbox
from glean.service.runs.known_bakeries import KnownBakeries, KnownBakery
from glean.service.store.database import Database

EVERY_S = 60.0


class AbsenceWatch:
    """Keeps an alert for each bakery that stays away.

    Parameters
    ----------
    database : Database
        Where alerts are kept.
    bakeries : KnownBakeries
        Who took part in runs of late.
    alerts : AlertOutbox
        Where it is told.
    days : int
        After how many days.
    """

    def __init__(
        self, database: Database, bakeries: KnownBakeries, alerts: AlertOutbox, *, days: int
    ) -> None:
        self._database = database
        self._bakeries = bakeries
        self._alerts = alerts
        self._days = days
        self._next = 0.0

    def look_now_and_then(self) -> None:
        """Look once a minute, where somebody wants to be told."""
        if self._alerts.wanted and time.monotonic() >= self._next:
            self.look()
            self._next = time.monotonic() + EVERY_S

    def look(self) -> None:
        """Look now."""
        missing = [one for one in self._bakeries.all() if one.days_missing >= self._days]
        with self._database.transaction() as session:
            for one in missing:
                text = _sentence(one)
                self._alerts.add(session, "bakery.missing", one.name, text, occasion=one.last_seen)


def _sentence(bakery: KnownBakery) -> str:
    return (
        f"{bakery.name} was last there on {bakery.last_seen[:10]}, in run "
        f"{bakery.last_run.row.id}: it is missing for {bakery.days_missing} days"
    )
