"""A thread that sends a run while it goes on, and at its end; a store that hangs never holds it up.

The run itself does nothing for it: what has come into its folder is noticed from outside.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from glean.errors import GleanError
from glean.regular_files import words_of
from glean.runs.index import RUNNING, read_run
from glean.storage.folder_uploads import Sent
from glean.storage.run_uploads import RunUploads
from glean.storage.sent_marker import unsent_runs
from glean.storage.store import Storage
from glean.storage.store_errors import StorageAwayError, StorageError

LOG = logging.getLogger("glean")

When = Literal["run", "checkpoint"]
"""After each run, or after each checkpoint of one too."""

LOOK_EVERY_S = 0.5
RESTS = 9
"""How many times as long as it sent a checkpoint it then rests: where rounds are short, several go
together, so that a run in this process has nine tenths of it at least."""

LATER_S = 10.0
"""Before a checkpoint that couldn't be sent is tried again."""

STUCK_S = 60.0
"""How long the end of a run waits for a store that takes nothing."""


class UploadThread:
    """Sends one run.

    Parameters
    ----------
    storage : Storage
        Where to.
    when : str
        "run": after its end; "checkpoint": after each checkpoint too.
    find : callable
        Gives the run's folder, None while it has none.
    results : Path, optional
        Folder in which earlier runs may lie that couldn't be sent there; they follow.
    stuck_s : float
        How long its end waits for a store that takes nothing.
    """

    def __init__(
        self,
        storage: Storage,
        when: When,
        find: Callable[[], Path | None],
        *,
        results: Path | None = None,
        stuck_s: float = STUCK_S,
    ) -> None:
        self._storage = storage
        self._when = when
        self._find = find
        self._results = results
        self._stuck_s = stuck_s
        self._ended = threading.Event()
        self._moved = time.monotonic()
        self._uploads: RunUploads | None = None
        self._problem = ""
        self._sent = Sent()
        self._seen: tuple[int, int] | None = None
        self._again = 0.0
        self._thread = threading.Thread(target=self._work, name="uploads", daemon=True)

    def start(self) -> None:
        """Begin to look for the run."""
        self._thread.start()

    def end(self) -> None:
        """Have it send what is left and end; nobody waits for that."""
        self._ended.set()

    def finish(self) -> str:
        """Send what is left, now that the run has ended; why that couldn't be done, or ""."""
        self._moved = time.monotonic()
        self._ended.set()
        while self._thread.is_alive():
            if time.monotonic() - self._moved > self._stuck_s:
                return f"{self._storage.url} took nothing for {self._stuck_s:.0f} s"
            self._thread.join(0.1)
        return self._problem

    @property
    def sent(self) -> Sent:
        """What has been sent so far."""
        return self._sent

    def _work(self) -> None:
        while not self._ended.wait(LOOK_EVERY_S):
            self._tried(self._send_checkpoint)
        if self._tried(self._send_last) and self._results is not None:
            self._send_earlier(self._results)

    def _send_checkpoint(self) -> None:
        uploads = self._known()
        if uploads is None or self._when != "checkpoint" or time.monotonic() < self._again:
            return
        now = self._checkpoint()
        if now is not None and now != self._seen:
            began = time.monotonic()
            self._again = began + LATER_S
            self._send(uploads)
            ended = time.monotonic()
            self._seen, self._again = now, ended + RESTS * (ended - began)

    def _send_last(self) -> None:
        uploads = self._known()
        if uploads is not None:
            self._send(uploads)

    def _send(self, uploads: RunUploads) -> None:
        self._sent += uploads.send()
        self._problem = ""

    def _send_earlier(self, results: Path) -> None:
        """Send runs that couldn't be sent before; what is wrong with one leaves the others."""
        try:
            earlier = [folder for folder, url in unsent_runs(results) if url == self._storage.url]
        except OSError as error:
            LOG.warning("earlier runs aren't sent: %s", words_of(error))
            return
        for folder in earlier:
            try:
                if read_run(folder).status != RUNNING:
                    self._sent += RunUploads(self._storage, folder, step=self._step).send()
            except StorageAwayError as error:
                LOG.warning("%s, an earlier run, isn't sent: %s", folder.name, error)
                return
            except (GleanError, OSError) as error:
                LOG.warning("%s, an earlier run, isn't sent: %s", folder.name, error)

    def _known(self) -> RunUploads | None:
        """Give what sends the run; at its first sight the folder is marked as one to send."""
        if self._uploads is None:
            folder = self._find()
            if folder is not None:
                self._uploads = RunUploads(self._storage, folder, step=self._step)
                try:
                    self._uploads.want()
                except OSError as error:
                    LOG.warning("%s can't be marked as one to send: %s", folder, error)
        return self._uploads

    def _checkpoint(self) -> tuple[int, int] | None:
        folder = self._find()
        try:
            found = None if folder is None else (folder / "rounds.csv").stat()
        except OSError:
            return 0, 0  # it has just begun: that is worth knowing elsewhere, too
        return None if found is None else (found.st_mtime_ns, found.st_size)

    def _step(self) -> None:
        self._moved = time.monotonic()

    def _tried(self, step: Callable[[], None]) -> bool:
        """Take a step, and keep why it failed: the thread must not end by it."""
        try:
            step()
        except StorageError as error:
            problem = str(error)
        except (GleanError, OSError) as error:
            problem = f"the run's folder can't be read: {error}"
        except Exception as error:
            LOG.exception("sending a run failed")
            problem = f"sending failed: {type(error).__name__}"
        else:
            return True
        if problem != self._problem and not self._ended.is_set():
            LOG.warning("not sent yet: %s", problem)
        self._problem = problem
        return False
