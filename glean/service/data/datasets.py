"""Uploaded tables: the operator's own, each in a folder with what was found in it."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from glean.operations.tables.table_series import TableSeries, table_series
from glean.operations.tables.table_summary import TableSummary, summarise_table
from glean.operations.worker_pool import WorkerPool
from glean.regular_files import words_of
from glean.runs.folder import utc_now, write_whole
from glean.service.problems import ProblemError, not_found
from glean.service.settings import MEGABYTE, ServiceSettings

ENDINGS = (".csv", ".csv.gz", ".parquet")
_ABOUT = "dataset.json"
_SERIES_KEPT = 30


@dataclass(frozen=True)
class Dataset:
    """An uploaded table.

    Parameters
    ----------
    id : str
        Its name here.
    file : str
        Name of the file as it was uploaded.
    bytes : int
        Size.
    sha256 : str
        Of its content, hexadecimal.
    uploaded_by, uploaded_at : str
        Who and when.
    summary : TableSummary
        What is in it.
    """

    id: str
    file: str
    bytes: int
    sha256: str
    uploaded_by: str
    uploaded_at: str
    summary: TableSummary


class Datasets:
    """The uploaded tables of a service.

    Parameters
    ----------
    settings : ServiceSettings
        Where they are kept, and how large they may be.
    workers : WorkerPool
        Looks them over.
    """

    def __init__(self, settings: ServiceSettings, workers: WorkerPool) -> None:
        self._settings = settings
        self._workers = workers
        self._series: dict[tuple[str, str], TableSeries] = {}

    async def receive(self, file: str, content: AsyncIterator[bytes]) -> Path:
        """Take an upload in, piece by piece, into a folder that is no dataset yet.

        Parameters
        ----------
        file : str
            Its name; only what stands behind the last slash counts.
        content : async iterator of bytes
            The pieces.

        Returns
        -------
        Path
            Of the file; give it to `keep` or `drop`.

        Raises
        ------
        ProblemError
            It isn't called like a table, is larger than may be, or can't be written.
        """
        name = _checked_name(file)
        folder = self._settings.datasets / f".upload-{secrets.token_hex(8)}"
        try:
            folder.mkdir()
            path = folder / name
            await self._write(path, content)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise ProblemError(
                HTTPStatus.INSUFFICIENT_STORAGE, f"the table can't be kept: {words_of(error)}"
            ) from error
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return path

    def keep(self, path: Path, *, by: str) -> Dataset:
        """Look an upload over and keep it; what can't be used isn't kept.

        Raises
        ------
        SalesError
            It can't be used; with every problem, each by its line.
        """
        folder = path.parent
        try:
            summary = self._workers.run(summarise_table, path)
            found = Dataset(
                id=f"d{secrets.token_hex(6)}",
                file=path.name,
                bytes=path.stat().st_size,
                sha256=_hash_of(path),
                uploaded_by=by,
                uploaded_at=utc_now(),
                summary=summary,
            )
            write_whole(folder / _ABOUT, json.dumps(asdict(found), indent=2).encode())
            folder.rename(self._settings.datasets / found.id)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return found

    def all(self) -> list[Dataset]:
        """Give all tables, the newest first."""
        found = [_read(folder) for folder in self._settings.datasets.glob("d*")]
        known = [dataset for dataset in found if dataset is not None]
        return sorted(known, key=lambda dataset: dataset.uploaded_at, reverse=True)

    def find(self, dataset_id: str) -> Dataset:
        """Find a table.

        Raises
        ------
        ProblemError
            There is none.
        """
        for dataset in self.all():
            if dataset.id == dataset_id:
                return dataset
        raise not_found(f"dataset {dataset_id[:40]!r}")

    def table_of(self, dataset_id: str) -> Path:
        """Give the file of a table; raises as `find`."""
        dataset = self.find(dataset_id)
        return self._settings.datasets / dataset.id / dataset.file

    def series_of(self, dataset_id: str, bakery: str = "") -> TableSeries:
        """Give what a table's products sell over time; raises as `find` and `table_series`."""
        key = (dataset_id, bakery)
        found = self._series.get(key)
        if found is None:
            found = self._workers.run(table_series, self.table_of(dataset_id), bakery)
            self._series[key] = found
            while len(self._series) > _SERIES_KEPT:
                self._series.pop(next(iter(self._series)), None)
        return found

    def delete(self, dataset_id: str) -> None:
        """Delete a table; raises as `find`. Runs that learned from it keep what they made."""
        shutil.rmtree(self.table_of(dataset_id).parent)

    def clear_leftovers(self) -> None:
        """Delete uploads that were cut off by the end of a service."""
        for folder in self._settings.datasets.glob(".upload-*"):
            shutil.rmtree(folder, ignore_errors=True)

    async def _write(self, path: Path, content: AsyncIterator[bytes]) -> None:
        most, size = self._settings.upload_mb * MEGABYTE, 0
        with path.open("xb") as out:
            async for piece in content:
                size += len(piece)
                if size > most:
                    raise ProblemError(
                        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                        f"the table is larger than {self._settings.upload_mb} MB, the most that "
                        "this service takes",
                    )
                out.write(piece)


def _checked_name(file: str) -> str:
    name = file.replace("\\", "/").rpartition("/")[2].strip()
    known = name.lower().endswith(ENDINGS)
    if not known or not name.isprintable() or name.startswith(".") or len(name.encode()) > 200:
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"found a file called {name[:60]!r}; wanted a sales table: {', '.join(ENDINGS)}. "
            "`glean data import` makes one of a till's export or a workbook",
        )
    return name


def _read(folder: Path) -> Dataset | None:
    try:
        content: dict[str, Any] = json.loads((folder / _ABOUT).read_bytes())
        told = content.pop("summary")
        # Tables of earlier versions are remarked on in English alone: a plain list, and a text.
        remarks, verdict = (
            said if isinstance(said, dict) else {"en": said}
            for said in (told["remarks"], told["verdict"])
        )
        told |= {
            "bakeries": tuple(told["bakeries"]),
            "remarks": {code: tuple(remarks[code]) for code in ("en", *remarks)},
            "verdict": {code: verdict[code] for code in ("en", *verdict)},
        }
        return Dataset(summary=TableSummary(**told), **content)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
