"""Runs fetched from a store into a results folder, checked file by file before they are a run's."""

from __future__ import annotations

import hashlib
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from glean.regular_files import words_of
from glean.runs.folder import write_whole
from glean.runs.index import RECORD, is_run
from glean.storage.address import DATASET_NAME, DATASETS, RUN_NAME, RUNS
from glean.storage.manifest import DamagedManifestError, Manifest, StoredFile, read_manifest
from glean.storage.sent_marker import SentMarker, read_marker
from glean.storage.store import Storage
from glean.storage.store_errors import StorageError, StoredFileMissingError

DAMAGED = "damaged"

_TRIES = 3
_LATE = ("rounds.csv", "events.jsonl", RECORD)
"""Written after all others, in this order, into a folder that others read meanwhile."""


@dataclass(frozen=True)
class RunInStorage:
    """A run that a store has.

    Parameters
    ----------
    name : str
        Of its folder.
    status : str
        How it stood when it was sent: "running", "completed" or "failed"; "damaged" where that
        can't be read.
    files : int
        How many files it has.
    bytes : int
        Of them.
    sent_at : str
        When the last of it was sent, UTC.
    """

    name: str
    status: str
    files: int
    bytes: int
    sent_at: str


def list_stored_runs(storage: Storage) -> list[RunInStorage]:
    """List the runs of a store, the newest first; those of which only a part came are none.

    Raises
    ------
    StorageError
        It can't be read.
    """
    found = []
    for name in reversed(stored_run_names(storage)):
        try:
            manifest = read_manifest(storage, f"{RUNS}/{name}")
        except DamagedManifestError:
            found.append(RunInStorage(name, DAMAGED, 0, 0, ""))
            continue
        if manifest is not None:
            size = sum(file.bytes for file in manifest.files)
            count = len(manifest.files)
            found.append(RunInStorage(name, manifest.status, count, size, manifest.sent_at))
    return found


def stored_run_names(storage: Storage) -> list[str]:
    """List names of runs of which a store has at least a part, the oldest first; raises as it."""
    return [name for name in storage.names(RUNS) if RUN_NAME.fullmatch(name)]


def fetch_run(storage: Storage, name: str, results: Path) -> Path:
    """Fetch a run, or what is new of it, into a results folder.

    A folder of that name that was made here stays as it is.

    Parameters
    ----------
    storage : Storage
        Where from.
    name : str
        Of the run's folder.
    results : Path
        Folder for run folders; made where it isn't there.

    Returns
    -------
    Path
        The run's folder.

    Raises
    ------
    StorageError
        There is no such run, it isn't whole, or it can't be written here.
    """
    if not RUN_NAME.fullmatch(name):
        raise StorageError(f"found a run called {name!r:.80}; wanted one like 20261130T101500Z-17")
    folder = results / name
    marker = read_marker(folder)
    if is_run(folder) and (marker is None or not marker.fetched):
        return folder
    stored = f"{RUNS}/{name}"
    for _ in range(_TRIES):
        manifest = _manifest_of(storage, stored)
        if marker is not None and marker.fetched == manifest.digest and is_run(folder):
            return folder
        try:
            _bring(storage, stored, manifest, folder)
        except (StoredFileMissingError, _OtherBytesError) as error:
            lacking = error
        except OSError as error:
            raise StorageError(f"can't keep what was fetched: {words_of(error)}") from error
        else:
            return folder
        # Whoever sends it may have sent more meanwhile, and deleted what was there before. Asked
        # out here: of two errors within each other the inner one would tell what the outer one is.
        if _manifest_of(storage, stored) == manifest:
            raise StorageError(
                f"{storage.url}/{stored} isn't whole: {lacking}; wanted each file as its "
                "manifest has it: send the run anew from where it was made"
            ) from lacking
    raise StorageError(f"{storage.url}/{stored} changes faster than it can be fetched; try again")


class _OtherBytesError(StorageError):
    """A file isn't what its manifest says."""


def _manifest_of(storage: Storage, stored: str) -> Manifest:
    manifest = read_manifest(storage, stored)
    if manifest is None:
        raise StorageError(
            f"found no run {stored} at {storage.url}; wanted one that `glean storage list` shows"
        )
    if not any(file.path == _LATE[-1] for file in manifest.files):
        raise StorageError(f"{storage.url}/{stored} is no run's folder: it has no record of one")
    return manifest


def fetch_dataset(storage: Storage, name: str, folder: Path) -> None:
    """Fetch the folder of an uploaded table, which appears as a whole.

    Raises
    ------
    StorageError
        There is none of that name, it isn't whole, or it can't be written here.
    """
    if not DATASET_NAME.fullmatch(name):
        raise StorageError(f"found a dataset called {name!r:.80}; wanted its id, like d01ab23")
    stored = f"{DATASETS}/{name}"
    manifest = read_manifest(storage, stored)
    if manifest is None:
        raise StoredFileMissingError(f"found no {stored} at {storage.url}")
    try:
        _bring(storage, stored, manifest, folder)
    except OSError as error:
        raise StorageError(f"can't keep what was fetched: {words_of(error)}") from error


def _bring(storage: Storage, stored: str, manifest: Manifest, folder: Path) -> None:
    """Bring a folder to what a manifest says; a new one appears as a whole."""
    if is_run(folder):
        _fill(storage, stored, manifest, folder)
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = folder.with_name(f".fetched-{secrets.token_hex(4)}")
    try:
        scratch.mkdir()
        _fill(storage, stored, manifest, scratch)
        shutil.rmtree(folder, ignore_errors=True)  # without a record it's nobody's
        scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _fill(storage: Storage, stored: str, manifest: Manifest, folder: Path) -> None:
    late = {path: place for place, path in enumerate(_LATE, start=1)}
    for file in sorted(manifest.files, key=lambda file: (late.get(file.path, 0), file.path)):
        path = folder / file.path
        if not _has(path, file):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, fetch_stored(storage, stored, file), lasting=False)
    SentMarker(storage.url, fetched=manifest.digest).write(folder)


def fetch_stored(storage: Storage, stored: str, file: StoredFile) -> bytes:
    """Read a file of a stored folder, and check that it is what its manifest says.

    Raises
    ------
    StorageError
        It can't be read, or isn't.
    """
    content = storage.read(f"{stored}/{file.object}") if file.bytes else b""
    if len(content) != file.bytes or hashlib.sha256(content).hexdigest() != file.sha256:
        raise _OtherBytesError(f"{file.path} has other bytes than were sent")
    return content


def _has(path: Path, file: StoredFile) -> bool:
    try:
        if path.stat().st_size != file.bytes:
            return False
        return hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256
    except FileNotFoundError:
        return False
