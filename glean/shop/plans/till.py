"""What was sold: exports of the till and evenings that were entered go into the table."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from glean.errors import GleanError
from glean.operations.shop.grow_table import (
    BakeryTable,
    ClosedDay,
    GrownTable,
    grow_by_day,
    grow_by_export,
    sold_of_late,
)
from glean.operations.worker_pool import WorkerPool
from glean.regular_files import read_regular, words_of
from glean.runs.folder import write_whole
from glean.shop.plans.told_problems import told_problems
from glean.shop.settings import ShopSettings
from glean.shop.store.closing import Closing
from glean.shop.store.exports import Exports, ReadExport

LAYOUT = "till-layout.json"
SOLD = "sold.json"

ENDINGS = (".csv", ".txt", ".tsv", ".xlsx", ".xlsm", ".xls", ".ods", ".gz", ".parquet")
"""Files of a watched folder that may be an export."""

MOST_EXPORTS = 30
"""Exports that were handed in of which the file is kept."""


class Till:
    """Brings what was sold into the table, one thing after the other.

    `folder_failed` says why the watched folder couldn't be looked into, as of the last look.

    Parameters
    ----------
    settings : ShopSettings
        How the page is set up.
    exports : Exports
        What was read.
    closing : Closing
        What was entered after closing.
    workers : WorkerPool
        Where pandas is.
    clock : callable
        Gives the local time.
    """

    def __init__(
        self,
        settings: ShopSettings,
        exports: Exports,
        closing: Closing,
        workers: WorkerPool,
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._settings = settings
        self._exports = exports
        self._closing = closing
        self._workers = workers
        self._clock = clock
        self._lock = threading.Lock()
        self._table = BakeryTable(
            settings.sales, settings.bakery, copies=settings.folder / "copies"
        )
        self._folder = settings.folder / "exports"
        self._sizes: dict[Path, int] = {}
        self._sold: tuple[tuple[int, int], dict[str, dict[str, float]]] | None = None
        self.folder_failed: tuple[str, ...] = ()

    def hand_in(self, name: str, content: bytes) -> ReadExport:
        """Read an export that somebody hands in; what is wrong with it is told, never raised."""
        self._folder.mkdir(parents=True, exist_ok=True)
        stamp = self._clock().strftime("%Y%m%dT%H%M%S%f")
        path = self._folder / f"{stamp}-{_plain_name(name)}"
        write_whole(path, content)
        for old in sorted(self._folder.iterdir())[:-MOST_EXPORTS]:
            old.unlink(missing_ok=True)
        return self._read(path, Path(name).name, content)

    def look_into(self, folder: Path, *, wait: bool = True) -> ReadExport | None:
        """Read the newest export of a folder, if it is new.

        Parameters
        ----------
        folder : Path
            Where the till puts them.
        wait : bool
            Leave a file alone until it has kept its size from one look to the next: the till may
            still write it.

        Raises
        ------
        GleanError
            The folder can't be read.
        """
        newest = _newest_of(folder)
        if newest is None:
            return None
        try:
            content = read_regular(newest)
        except OSError as error:
            raise GleanError(f"{newest.name} can't be read: {words_of(error)}") from None
        grows = self._sizes.get(newest) != len(content)
        self._sizes = {newest: len(content)}
        if (wait and grows) or self._exports.knows(_digest(content)):
            return None
        return self._read(newest, newest.name, content)

    def close_day(self, closed: ClosedDay) -> GrownTable:
        """Put an evening into the table.

        Raises
        ------
        GleanError
            The table can't be written.
        """
        with self._lock:
            grown = self._workers.run(grow_by_day, self._table, closed)
            self._closing.note_in_table(closed.day, dict(closed.sold_out_at))
            self._tell_sold()
            return grown

    def bring_times(self) -> int:
        """Put sold-out times into the table whose day it has by now; how many."""
        sold, count = self.sold(), 0
        for day, times in self._closing.waiting().items():
            there = {name: time for name, time in times.items() if name in sold.get(f"{day}", {})}
            if there:
                self.close_day(ClosedDay(day, sold_out_at=there))
                count += len(there)
        return count

    def sold(self) -> dict[str, dict[str, float]]:
        """Tell what was sold of late: ISO date -> product -> units; kept from the last look.

        Pages ask at each request: the file, of a few thousand numbers, is read where it changed.
        """
        path = self._settings.folder / SOLD
        try:
            found = path.stat()
            version, known = (found.st_mtime_ns, found.st_ino), self._sold
            if known is None or known[0] != version:
                known = self._sold = version, json.loads(path.read_bytes())["sold"]
        except (OSError, ValueError, KeyError, TypeError):
            return {}
        return known[1]

    def look(self) -> None:
        """Tell anew what was sold of late, if the table has changed since."""
        if self._kept_mark() != self._mark():
            with self._lock:
                self._tell_sold()

    def _read(self, path: Path, name: str, content: bytes) -> ReadExport:
        with self._lock:
            told: dict[str, Any]
            try:
                grown = self._workers.run(
                    grow_by_export, self._table, path, self._settings.folder / LAYOUT
                )
            except GleanError as error:
                ok, told = False, {"lines": told_problems(error, path)}
            else:
                ok, told = True, _told(grown)
                self._tell_sold()
            at = self._clock()
            self._exports.note(name, _digest(content), at=at, ok=ok, told=told)
            return ReadExport(name, at, ok, told)

    def _tell_sold(self) -> None:
        mark = self._mark()
        sold = self._workers.run(sold_of_late, self._table)
        content = json.dumps({"mark": mark, "sold": sold}, ensure_ascii=False)
        write_whole(self._settings.folder / SOLD, content.encode())

    def _mark(self) -> list[int]:
        try:
            found = self._settings.sales.stat()
        except OSError:
            return []
        return [found.st_size, found.st_mtime_ns]

    def _kept_mark(self) -> Any:
        try:
            return json.loads((self._settings.folder / SOLD).read_bytes())["mark"]
        except (OSError, ValueError, KeyError, TypeError):
            return None


def _newest_of(folder: Path) -> Path | None:
    try:
        files = [
            (path.stat().st_mtime_ns, path)
            for path in folder.iterdir()
            if path.suffix.lower() in ENDINGS and path.is_file()
        ]
    except OSError as error:
        raise GleanError(f"{folder} can't be looked into: {words_of(error)}") from None
    return max(files)[1] if files else None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _plain_name(name: str) -> str:
    """Keep of a file's name what is safe on any disk, its ending first of all."""
    return re.sub(r"[^\w.-]+", "-", Path(name).name)[-80:] or "export.csv"


def _told(grown: GrownTable) -> dict[str, Any]:
    return {
        "added": grown.added,
        "changed": grown.changed,
        "first_day": f"{grown.first_day}",
        "last_day": f"{grown.last_day}",
        "new_products": list(grown.new_products),
    }
