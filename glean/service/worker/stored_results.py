"""How run folders come to a worker and go from it by a store: its results folder is its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from glean.errors import GleanError
from glean.operations.running.stored_inputs import bring_named, fetch_interrupted
from glean.runs.index import find_run, is_run
from glean.settings import ConfigValue
from glean.storage.fetching import stored_run_names
from glean.storage.sent_marker import read_marker
from glean.storage.store import Storage
from glean.storage.store_errors import StorageAwayError, StorageError, StoredFileMissingError
from glean.storage.upload_thread import UploadThread

LOG = logging.getLogger("glean.service")

BROUGHT_WITHIN_S = 60.0
"""How long a table may take from the service to the store: it's sent at its next look. And how long
a store that is away is waited for by who would begin a run anew without it."""

_LOOK_S = 1.0


class StoredResults:
    """A worker's own results folder, and a store between it and the service's.

    Parameters
    ----------
    results : Path
        Absolute folder for run folders.
    storage : Storage
        The store.
    """

    def __init__(self, results: Path, storage: Storage) -> None:
        self._results = results
        self._storage = storage
        self._lock = threading.Lock()
        self._uploads: tuple[Path, UploadThread] | None = None

    def fetch(self, flower_id: str, *, wait_while: Callable[[], bool] | None = None) -> Path | None:
        """Find a run here or fetch it; what can't be fetched isn't at hand.

        Parameters
        ----------
        flower_id : str
            Flower's id of the run.
        wait_while : callable, optional
            How long, within limits, a store that is away is waited for; by default not at all.
        """
        if not flower_id.isdecimal():
            return None
        here = find_run(self._results, flower_id)
        marker = read_marker(here) if here is not None else None
        if here is not None and is_run(here) and (marker is None or not marker.fetched):
            return here
        deadline = time.monotonic() + BROUGHT_WITHIN_S
        while True:
            try:
                with self._lock:
                    return self._fetch(flower_id)
            except GleanError as error:
                waits = isinstance(error, StorageAwayError) and time.monotonic() < deadline
                if not waits or wait_while is None or not wait_while():
                    LOG.warning("run %s can't be gone on with: %s", flower_id, error)
                    return None
            time.sleep(_LOOK_S)

    def _fetch(self, flower_id: str) -> Path | None:
        names = stored_run_names(self._storage)
        name = next((one for one in names if one.endswith(f"-{flower_id}")), "")
        return fetch_interrupted(self._storage, name, self._results) if name else None

    def bring(self, settings: Mapping[str, ConfigValue], goes_on: Callable[[], bool]) -> None:
        """Fetch the tables and models that a request names and that the service has sent.

        A store that is away is waited for: the run is none the worse for it.

        Raises
        ------
        StorageError
            They can't be fetched, or the store has lacked them for a minute.
        """
        deadline, said = time.monotonic() + BROUGHT_WITHIN_S, False
        while goes_on():
            try:
                return bring_named(settings, self._storage, self._results)
            except StorageAwayError as error:
                if not said:
                    LOG.warning("what the run learns from is waited for: %s", error)
                deadline, said = time.monotonic() + BROUGHT_WITHIN_S, True
            except StoredFileMissingError as error:
                if time.monotonic() > deadline:
                    raise StorageError(f"what the run learns from can't be had: {error}") from error
            time.sleep(_LOOK_S)
        return None

    def send(self, folder: Path) -> None:
        """Send its checkpoints from now on, by a thread beside."""
        if self._uploads is not None and self._uploads[0] == folder:
            return
        if self._uploads is not None:  # of a run that was lost to another worker
            self._uploads[1].end()
        thread = UploadThread(self._storage, "checkpoint", lambda: folder, results=self._results)
        thread.start()
        self._uploads = folder, thread

    def send_last(self, folder: Path) -> None:
        """Send all of it; what the store doesn't take goes with the next run."""
        self.send(folder)
        assert self._uploads is not None, "its thread has just been started"
        problem = self._uploads[1].finish()
        self._uploads = None
        if problem:
            LOG.warning("%s isn't sent yet: %s", folder.name, problem)
