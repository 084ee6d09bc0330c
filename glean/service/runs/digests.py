"""What runs came to, read once by the worker and remembered while their files stay as they are."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from glean.errors import GleanError
from glean.languages.language import LanguageCode
from glean.operations.reports.run_digest import RunDigest, digest_run
from glean.operations.worker_pool import WorkerPool
from glean.runs.index import signature_of

_MOST = 50

_Key = tuple[Path, str, LanguageCode]
"""A run's folder, what its files were like, and the language of what is said of it."""


class RunDigests:
    """Digests of completed runs.

    Parameters
    ----------
    workers : WorkerPool
        Reads them.
    """

    def __init__(self, workers: WorkerPool) -> None:
        self._workers = workers
        self._known: OrderedDict[_Key, RunDigest | None] = OrderedDict()
        self._lock = threading.Lock()
        self._begun: set[_Key] = set()

    def known(self, folder: Path, code: LanguageCode) -> RunDigest | None:
        """Give the digest of a completed run if it has been read; otherwise begin to read it."""
        key = (folder, signature_of(folder), code)
        with self._lock:
            if key in self._known or key in self._begun:
                return self._known.get(key)
            self._begun = {key}  # of those that were begun before, none is asked for any more
        threading.Thread(target=self.of, args=(folder, code), daemon=True).start()
        return None

    def of(self, folder: Path, code: LanguageCode) -> RunDigest | None:
        """Give the digest of a completed run; None where it can't be read."""
        key = (folder, signature_of(folder), code)
        with self._lock:
            if key in self._known:
                return self._known[key]
        try:
            found = self._workers.run(digest_run, folder, code)
        except GleanError:
            found = None
        with self._lock:
            self._known[key] = found
            while len(self._known) > _MOST:
                self._known.popitem(last=False)
        return found
