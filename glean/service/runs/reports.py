"""Reports of runs as pages, in the language of whoever reads them, remembered for a while."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from glean.errors import GleanError
from glean.languages.language import LanguageCode
from glean.operations.reports.report_page import report_page
from glean.operations.worker_pool import WorkerPool
from glean.runs.index import signature_of

_MOST = 8
"""A page has its pictures in it, half a megabyte."""

_HEAD_BYTES = 200
"""Where a page says its language."""


class RunReports:
    """Pages of reports.

    Parameters
    ----------
    workers : WorkerPool
        Draws them.
    """

    def __init__(self, workers: WorkerPool) -> None:
        self._workers = workers
        self._known: OrderedDict[tuple[Path, str, int, LanguageCode], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, page: Path, code: LanguageCode) -> bytes:
        """Give a run's report in a language; what lies in the folder stays as it is.

        Parameters
        ----------
        page : Path
            The run's own `report.html`, given where it is in that language, or where no other one
            can be made.
        code : str
            Of the language.
        """
        written = page.read_bytes()
        if f'<html lang="{code}">'.encode() in written[:_HEAD_BYTES]:
            return written
        folder = page.parent
        key = (folder, signature_of(folder), page.stat().st_mtime_ns, code)
        with self._lock:
            if key in self._known:
                return self._known[key]
        try:
            made = self._workers.run(report_page, folder, code).encode()
        except GleanError:
            return written
        with self._lock:
            self._known[key] = made
            while len(self._known) > _MOST:
                self._known.popitem(last=False)
        return made
