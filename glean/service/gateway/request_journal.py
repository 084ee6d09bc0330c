"""The nonces of the last minutes' requests in files, so that a restart forgets none.

A line a request, `TIME NONCE`, in one of two files: the one that is written to becomes the earlier
one when it is old enough that all in the earlier one is refused by its time. A line begins with its
line feed, so that one that a power cut left unfinished doesn't spoil the next.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

from glean.privacy.request_signature import LARGEST_CLOCK_ERROR, SignedRequest

LOG = logging.getLogger("glean.service")

KEPT_S = 2 * LARGEST_CLOCK_ERROR.total_seconds()
"""A request that is signed by a clock ahead is taken for so long at most."""


class RequestJournal:
    """Requests that were taken, on disk.

    A process that is killed loses none of them; a power cut the last seconds'.

    Parameters
    ----------
    path : Path
        The file that is written to; the earlier one lies beside it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._earlier = path.with_suffix(".earlier")
        self._lock = Lock()
        self._file: int | None = None
        self._began = 0.0
        self._failed = False

    def read(self) -> Iterator[tuple[dt.datetime, str]]:
        """Give time and nonce of each request, in the order in which they came."""
        for path in (self._earlier, self._path):
            try:
                lines = path.read_text("ascii", errors="replace").splitlines()
            except FileNotFoundError:
                continue
            for line in lines:
                at, _, nonce = line.partition(" ")
                try:
                    when = dt.datetime.fromisoformat(at)
                except ValueError:
                    continue
                if when.tzinfo is not None and nonce:
                    yield when, nonce

    def note(self, request: SignedRequest) -> None:
        """Write down a request, before anything is done that it asks for.

        A disk that is full holds up no bakery: the request is remembered in memory then.
        """
        line = f"\n{request.at.isoformat()} {request.nonce}".encode("ascii")
        with self._lock:
            try:
                os.write(self._open(), line)
                self._failed = False
            except OSError as error:
                if not self._failed:
                    LOG.warning("%s can't be written: %s", self._path, error)
                self._failed = True

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _open(self) -> int:
        if self._file is not None and time.monotonic() - self._began > KEPT_S:
            os.close(self._file)
            self._file = None
            self._path.replace(self._earlier)
        if self._file is None:
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            self._began = time.monotonic()
        return self._file
