"""Attempts that were cut off: their runs wait again, and what they had to say is kept."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from glean.errors import GleanError
from glean.runs.index import StoredRun, read_run
from glean.service.runs.event_outbox import EventPlace, keep_events
from glean.service.runs.leases import CutOff, Leases
from glean.service.store.database import Database
from glean.service.store.service_facts import ServiceFacts

LOG = logging.getLogger("glean.service")

Fetch = Callable[[str], Path | None]
"""Gives the folder of a run by Flower's id; None where it isn't at hand."""


def last_readable(earlier: Sequence[str], fetch: Fetch) -> StoredRun | None:
    """Find the run of the last attempt that left one that is at hand and can be read.

    Parameters
    ----------
    earlier : sequence of str
        Flower's id of the run of each attempt, in order; "" of one that had none.
    fetch : callable
        Gives their folders.
    """
    for flower_id in reversed(earlier):
        folder = fetch(flower_id) if flower_id else None
        with suppress(GleanError):
            if folder is not None:
                return read_run(folder)
    return None


def put_back_lapsed(database: Database, leases: Leases, fetch: Fetch) -> list[CutOff]:
    """Let runs wait again whose worker has fallen silent.

    Raises
    ------
    SQLAlchemyError
        The database can't be used.
    """
    found = leases.put_back_lapsed()
    for one in found:
        then = "the run is given up" if one.given_up else "the run waits again"
        LOG.warning(
            "run %s: worker %s said nothing until the lease of attempt %d lapsed; %s",
            one.run_id,
            one.worker,
            one.attempt,
            then,
        )
    attempts = [(one.run_id, one.attempt, one.flower_id) for one in found]
    keep_events_of(database, attempts, fetch)
    return found


def keep_events_of(
    database: Database, attempts: Iterable[tuple[str, int, str]], fetch: Fetch
) -> None:
    """Keep the events of attempts that were cut off, of those whose folder can be read here.

    Parameters
    ----------
    database : Database
        Where they are kept, if they are.
    attempts : iterable of (str, int, str)
        Run, number of the attempt, and Flower's id of its run; "" where it had none.
    fetch : callable
        Gives their folders.
    """
    wanted = [one for one in attempts if one[2]]
    if not wanted or not ServiceFacts(database).keeps_events:
        return
    for run_id, attempt, flower_id in wanted:
        folder = fetch(flower_id)
        if folder is None:
            continue
        try:
            with database.transaction() as session:
                keep_events(session, run_id, attempt, folder / "events.jsonl", EventPlace())
        except OSError as error:
            # The run's end must not wait for it; the service looks for them again.
            LOG.warning("run %s: events of attempt %d can't be read: %s", run_id, attempt, error)
