"""A run sent to a store: after each checkpoint while it goes on, or once it has ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from glean.runs.folder_lock import folder_lock
from glean.runs.index import RECORD, RUNNING, read_run, signature_of
from glean.storage.address import RUNS
from glean.storage.folder_uploads import FolderUploads, Sent
from glean.storage.sent_marker import SentMarker, read_marker
from glean.storage.store import Storage

_FIRST = (RECORD, "rounds.csv", "bakery_rounds.csv")
"""Read before the others: a round counts once it stands in `rounds.csv`, so all else of it is there
by then; and a run that says it has ended has all its files."""

_LOCK = ".storage.lock"


class RunUploads:
    """Sends one run.

    Parameters
    ----------
    storage : Storage
        Where to.
    folder : Path
        The run's folder.
    step : callable, optional
        Called after each file that was sent.

    Examples
    --------
    ::

        uploads = RunUploads(open_storage("s3://bucket/glean"), Path("results/latest").resolve())
        uploads.send()  # again after each checkpoint, and after the end
    """

    def __init__(
        self, storage: Storage, folder: Path, *, step: Callable[[], None] = lambda: None
    ) -> None:
        self._storage = storage
        self._folder = folder
        self._uploads = FolderUploads(
            storage, folder, f"{RUNS}/{folder.name}", first=_FIRST, last=RECORD, step=step
        )

    def want(self) -> None:
        """Note in the folder that it shall be sent, so that it is found where it couldn't be."""
        marker = read_marker(self._folder)
        if marker is None or marker.url != self._storage.url:
            SentMarker(self._storage.url).write(self._folder)

    def send(self) -> Sent:
        """Send what the store lacks of the run; somebody else who does so already is waited for.

        Raises
        ------
        StorageError
            Not all could be sent; whoever reads the run there finds what was there before.
        GleanError
            The folder isn't a run's.
        """
        with folder_lock(self._folder, _LOCK, wait=True):
            # Two at once would each delete what the other's manifest still names.
            return self._send()

    def _send(self) -> Sent:
        self.want()
        signature, status = signature_of(self._folder), read_run(self._folder).status
        goes_on = status == RUNNING
        sent = self._uploads.send(status, settled=not goes_on)
        if not goes_on and signature == signature_of(self._folder):
            SentMarker(self._storage.url, sent=signature).write(self._folder)
        return sent
