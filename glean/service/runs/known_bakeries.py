"""Bakeries: who took part in runs of late, when each was heard of last, and who stays away."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import sqlalchemy as sa

from glean.errors import GleanError
from glean.languages.vocabulary import BAKERIES, CLIENTS, Vocabulary
from glean.runs.folder import utc_now
from glean.runs.index import read_run
from glean.service.runs.client_states import ClientStanding, ClientState, client_standings
from glean.service.runs.status import DEPLOYMENT, RunStatus
from glean.service.settings import ServiceSettings
from glean.service.store.database import Database
from glean.service.store.tables import RunRow
from glean.workloads import vocabulary_of

RUNS_LOOKED_AT = 30
"""The last runs, of all that there are: who took part in none of them isn't known any more."""


@dataclass(frozen=True)
class RunMembers:
    """Who took part in a run.

    Parameters
    ----------
    row : RunRow
        The run.
    folder : Path
        Its folder.
    standings : tuple of ClientStanding
        Its bakeries.
    version : str
        Of Glean, which they and the server share; "" where the run doesn't say.
    """

    row: RunRow
    folder: Path
    standings: tuple[ClientStanding, ...]
    version: str


@dataclass(frozen=True)
class KnownBakery:
    """A bakery that took part in a run of late.

    Parameters
    ----------
    standing : ClientStanding
        How it stands in the last run that it took part in.
    last_run : RunMembers
        That run.
    runs_without : int
        Runs of the same federation since, that ended and in which it took no part.
    """

    standing: ClientStanding
    last_run: RunMembers
    runs_without: int

    @property
    def name(self) -> str:
        """Its name."""
        return self.standing.name

    @property
    def last_seen(self) -> str:
        """When it was there last, UTC."""
        if self.standing.state is ClientState.MISSING and self.standing.since:
            return self.standing.since
        return self.last_run.row.ended_at or utc_now()

    @property
    def days_missing(self) -> int:
        """Whole days since it was there last; 0 where nobody has asked for it since."""
        away = self.runs_without > 0 or self.standing.state is ClientState.MISSING
        if self.last_run.row.engine != DEPLOYMENT or not away:
            return 0
        try:
            seen = dt.datetime.fromisoformat(self.last_seen)
            return max(0, (dt.datetime.now(dt.UTC) - seen).days)
        except (ValueError, TypeError):  # a damaged file's, or one without its zone
            return 0


class KnownBakeries:
    """Reads who took part from the last runs; each run is read once while it stays as it is.

    Parameters
    ----------
    database : Database
        Where the list of runs is.
    settings : ServiceSettings
        Where their folders are.
    """

    def __init__(self, database: Database, settings: ServiceSettings) -> None:
        self._database = database
        self._results = settings.results
        self._known: dict[str, RunMembers] = {}
        self._lock = threading.Lock()

    def all(self) -> list[KnownBakery]:
        """Give the bakeries of the last runs, in order of their names."""
        newest = sa.select(RunRow).where(RunRow.folder != "").order_by(RunRow.asked_at.desc())
        with self._database.transaction() as session:
            rows = list(session.scalars(newest.limit(RUNS_LOOKED_AT)))
        with self._lock:
            self._known = {row.folder: self._members_of(row) for row in rows}
            return known_in([self._known[row.folder] for row in rows])

    @property
    def vocabulary(self) -> Vocabulary:
        """What those of the last runs are called: bakeries where all are, else clients."""
        newest = sa.select(RunRow.workload).where(RunRow.folder != "")
        newest = newest.order_by(RunRow.asked_at.desc()).limit(RUNS_LOOKED_AT)
        with self._database.transaction() as session:
            found = {vocabulary_of(workload) for workload in session.scalars(newest)}
        return CLIENTS if CLIENTS in found else BAKERIES

    def _members_of(self, row: RunRow) -> RunMembers:
        known = self._known.get(row.folder)
        if known is not None and known.row.seen == row.seen:
            return replace(known, row=row)
        folder = self._results / row.folder
        standings = client_standings(folder / "events.jsonl")
        return RunMembers(row, folder, tuple(standings), _version_of(folder))


def known_in(runs: Iterable[RunMembers]) -> list[KnownBakery]:
    """Say of each bakery how it stood in its last run, and which runs since did without it.

    Runs belong to the same federation where they have a bakery in common.

    Parameters
    ----------
    runs : iterable of RunMembers
        The newest first.
    """
    found: dict[str, KnownBakery] = {}
    later: list[frozenset[str]] = []
    for run in runs:
        names = frozenset(one.name for one in run.standings)
        without = sum(not names.isdisjoint(others) for others in later)
        for one in run.standings:
            if one.name not in found:
                found[one.name] = KnownBakery(one, run, without)
        if run.row.engine == DEPLOYMENT and RunStatus(run.row.status).ended:
            later.append(names)
    return [found[name] for name in sorted(found)]


def _version_of(folder: Path) -> str:
    try:
        versions = read_run(folder).facts.get("versions")
    except GleanError:
        return ""
    return str(versions.get("glean", "")) if isinstance(versions, dict) else ""
