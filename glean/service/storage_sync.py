"""What a service has, sent to a store; and runs of workers on other machines, fetched from there.

A thread of its own: a store that hangs holds up nothing else. What can't be done now is done with a
later look, also after a restart: what is there and what isn't, the store and the folders say.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from glean.errors import GleanError
from glean.runs.index import RUNNING, is_run, read_run, run_folders, signature_of
from glean.service.runs.status import ENDED
from glean.service.settings import ServiceSettings
from glean.service.store.database import Database, reason_of
from glean.service.store.tables import RunRow
from glean.storage.address import DATASETS
from glean.storage.fetching import fetch_run
from glean.storage.folder_uploads import FolderUploads
from glean.storage.run_uploads import RunUploads
from glean.storage.sent_marker import is_sent, read_marker
from glean.storage.store import Storage
from glean.storage.store_errors import StorageAwayError, StorageError

LOG = logging.getLogger("glean.service")

EVERY_S = 2.0
AWAY_S = 10.0
"""How long after a look that failed the next one comes."""

_MOST_AWAY = 2
"""After so many times that the store didn't answer a look ends: once may be one file's fault."""

_STOP_S = 2.0
_LATEST_MIRRORED = 50
"""Runs of workers, the latest first, that are looked for in the store."""


class _Look:
    """One look: what is wrong with one folder leaves the others, and is told at its end."""

    def __init__(self, ends: Callable[[], bool]) -> None:
        self._ends = ends
        self._away = 0
        self.problem: GleanError | OSError | None = None

    def take(self, step: Callable[[], None]) -> None:
        if self._away >= _MOST_AWAY or self._ends():
            return
        try:
            step()
        except (GleanError, OSError) as error:
            self._away += isinstance(error, StorageAwayError)
            self.problem = self.problem or error


class StorageSync:
    """Sends and fetches, again and again.

    Parameters
    ----------
    database : Database
        Where it stands which runs workers have.
    settings : ServiceSettings
        Where folders are, and when they are sent.
    storage : Storage
        Where to and from.
    """

    def __init__(self, database: Database, settings: ServiceSettings, storage: Storage) -> None:
        self._database = database
        self._settings = settings
        self._storage = storage
        self._problem = ""
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, name="storage", daemon=True)
        self._sent_datasets: set[str] = set()
        self._sent_runs: dict[str, str] = {}
        self._going_on: dict[str, tuple[RunUploads, str]] = {}

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is under way is done anew after the next start."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_S)

    def problem(self) -> str:
        """Say what is wrong with the store; "" where nothing is."""
        return self._problem

    def look(self) -> None:
        """Send and fetch what there is by now, as much of it as can be.

        Raises
        ------
        GleanError
            The store can't be used, or a folder can't be read.
        SQLAlchemyError
            The database can't be used.
        OSError
            A folder can't be read or written.
        """
        look = _Look(self._end.is_set)
        for folder in sorted(self._settings.datasets.glob("d*")):
            look.take(partial(self._send_dataset, folder))
        for folder in run_folders(self._settings.results):
            look.take(partial(self._see_to_run, folder))
        for name in self._folders_of_workers():
            look.take(partial(self._mirror, name))
        if look.problem is not None:
            raise look.problem

    def _work(self) -> None:
        while not self._end.is_set():
            found = self._look_once()
            if found and found != self._problem:
                LOG.warning("storage: %s", found)
            self._problem = found
            self._end.wait(AWAY_S if found else EVERY_S)

    def _look_once(self) -> str:
        try:
            self.look()
        except SQLAlchemyError as error:
            return f"the database can't be used: {reason_of(error)}"
        except (GleanError, OSError) as error:
            return str(error)
        except Exception as error:
            # The thread must not end: nothing would be sent or fetched any more.
            LOG.exception("a look at the storage failed")
            return type(error).__name__
        return ""

    def _send_dataset(self, folder: Path) -> None:
        if folder.name not in self._sent_datasets:
            FolderUploads(self._storage, folder, f"{DATASETS}/{folder.name}").send()
            self._sent_datasets.add(folder.name)

    def _see_to_run(self, folder: Path) -> None:
        signature = signature_of(folder)
        if self._sent_runs.get(folder.name) == signature:
            return
        if is_sent(folder, self._storage.url) or self._send_run(folder):
            self._sent_runs[folder.name] = signature

    def _send_run(self, folder: Path) -> bool:
        """Send a run that has ended, or a checkpoint of one that goes on; whether that was all."""
        try:
            goes_on = read_run(folder).status == RUNNING
        except GleanError:
            return True  # damaged, which discovery says
        if goes_on and self._settings.upload != "checkpoint":
            return False
        uploads, sent = self._going_on.get(folder.name) or (RunUploads(self._storage, folder), "")
        checkpoint = _checkpoint_of(folder) if goes_on else ""
        if not goes_on or checkpoint != sent:
            uploads.send()
            self._going_on[folder.name] = uploads, checkpoint
        if not goes_on:
            self._going_on.pop(folder.name, None)
        return not goes_on

    def _mirror(self, name: str) -> None:
        """Fetch what is new of a run that a worker on another machine has, or had."""
        folder = self._settings.results / name
        marker = read_marker(folder)
        if is_run(folder) and (marker is None or not marker.fetched):
            return  # the worker writes into this very folder
        if is_run(folder) and not _goes_on_at_its_worker(folder):
            return
        try:
            fetch_run(self._storage, name, self._settings.results)
        except StorageAwayError:
            raise
        except StorageError as error:
            # Its worker may have sent nothing yet.
            LOG.info("run %s isn't fetched yet: %s", name, error)

    def _folders_of_workers(self) -> list[str]:
        wanted = (
            sa.select(RunRow.folder)
            .where(RunRow.worker != "", RunRow.folder != "")
            .order_by(RunRow.status.in_(ENDED), RunRow.asked_at.desc())
            .limit(_LATEST_MIRRORED)
        )
        with self._database.transaction() as session:
            return list(session.scalars(wanted))


def _goes_on_at_its_worker(folder: Path) -> bool:
    """Whether the store may have more of a run than its folder here.

    Also where its process has gone: of a worker on this very machine it had ended before all of the
    run was fetched, and nobody but the store tells how.
    """
    found = read_run(folder)
    return found.gone or found.status == RUNNING


def _checkpoint_of(folder: Path) -> str:
    try:
        found = (folder / "rounds.csv").stat()
    except OSError:
        return "none"
    return f"{found.st_mtime_ns}:{found.st_size}"
