"""A folder sent to a store, again and again while it changes: only what is new is sent each time.

What readers there go by, the manifest, comes last, and no file that it names is written over: a
reader has the old folder or the new one, also where what sends it is killed in between.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from glean.regular_files import words_of
from glean.storage.manifest import (
    DamagedManifestError,
    Manifest,
    StoredFile,
    is_safe_name,
    read_manifest,
    write_manifest,
)
from glean.storage.store import Storage
from glean.storage.store_errors import StorageError


@dataclass(frozen=True)
class Sent:
    """What was sent.

    Parameters
    ----------
    files : int
        How many files.
    bytes : int
        Of them.
    """

    files: int = 0
    bytes: int = 0

    def __add__(self, other: Sent) -> Sent:
        return Sent(self.files + other.files, self.bytes + other.bytes)


@dataclass(frozen=True)
class _Read:
    """A file as it was read: its bytes are kept only where the store lacks them."""

    sha256: str
    size: int
    content: bytes | None


class FolderUploads:
    """Sends one folder.

    Parameters
    ----------
    storage : Storage
        Where to.
    folder : Path
        The folder.
    stored : str
        What it is called there: "datasets/d1".
    first : sequence of str
        Files that are read before all others, in this order: what others follow from.
    last : str
        File that is sent after all others.
    step : callable, optional
        Called after each file that was sent.
    """

    def __init__(
        self,
        storage: Storage,
        folder: Path,
        stored: str,
        *,
        first: Sequence[str] = (),
        last: str = "",
        step: Callable[[], None] = lambda: None,
    ) -> None:
        self._storage = storage
        self._folder = folder
        self._stored = stored
        self._first = first
        self._last = last
        self._step = step
        self._known: dict[str, tuple[tuple[int, int, int], str]] = {}

    def send(self, status: str = "", *, settled: bool = True) -> Sent:
        """Send what the store lacks of it.

        Parameters
        ----------
        status : str
            Of a run: how it stands.
        settled : bool
            Whether it has its last form: then each file is called there as it is here (letters
            beyond ASCII, spaces and signs apart).

        Raises
        ------
        StorageError
            Not all could be sent; what readers find is what they found before.
        """
        try:
            before = read_manifest(self._storage, self._stored) or Manifest()
        except DamagedManifestError:
            before = Manifest()  # all of it is sent anew
        sent, manifest = self._send_once(before, status, anew=False)
        if settled and any(file.object != plain_name(file.path) for file in manifest.files):
            more, manifest = self._send_once(manifest, status, anew=True)
            sent += more
        return sent

    def _send_once(self, before: Manifest, status: str, *, anew: bool) -> tuple[Sent, Manifest]:
        had, used = before.by_path, {file.object for file in before.files}
        files: list[StoredFile] = []
        sent, late = Sent(), None
        for path, read in self._read(had, anew=anew):
            old = had.get(path)
            if read.content is None and old is not None:
                files.append(old)
                continue
            assert read.content is not None, "what the store lacks was read"
            file = StoredFile(path, read.sha256, read.size, _object(path, read.sha256, used))
            files.append(file)
            sent += Sent(1, read.size)
            if path == self._last:
                late = file, read.content
            else:
                self._write(file, read.content)
        if late is None and self._last not in ("", *(file.path for file in files)):
            raise StorageError(f"{self._folder} was deleted while it was sent")
        if late is not None:
            self._write(*late)
        manifest = Manifest(tuple(sorted(files, key=lambda file: file.path)), status)
        if manifest.files != before.files or status != before.status:
            write_manifest(self._storage, self._stored, manifest)
            self._step()
            for name in sorted(used - {file.object for file in files}):
                self._storage.delete(f"{self._stored}/{name}")
        return sent, manifest

    def _write(self, file: StoredFile, content: bytes) -> None:
        self._storage.write(f"{self._stored}/{file.object}", content)
        self._step()

    def _read(self, had: dict[str, StoredFile], *, anew: bool) -> Iterator[tuple[str, _Read]]:
        """Read the files, those that others follow from before the others are even looked for."""
        first = [(path, self._read_one(path, had, anew=anew)) for path in self._first]
        yield from ((path, read) for path, read in first if read is not None)
        for path in _paths_in(self._folder):
            read = None if path in self._first else self._read_one(path, had, anew=anew)
            if read is not None:
                yield path, read

    def _read_one(self, path: str, had: dict[str, StoredFile], *, anew: bool) -> _Read | None:
        """Read one; None where it has gone, or isn't a file."""
        try:
            found = (self._folder / path).stat(follow_symlinks=False)
            if not stat.S_ISREG(found.st_mode):
                return None
            stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
            old, (seen, sha256) = had.get(path), self._known.get(path, ((), ""))
            misplaced = anew and old is not None and old.object != plain_name(path)
            if old is not None and not misplaced and seen == stamp and old.sha256 == sha256:
                return _Read(sha256, old.bytes, None)
            content = (self._folder / path).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(f"can't read what shall be sent: {words_of(error)}") from error
        sha256 = hashlib.sha256(content).hexdigest()
        self._known[path] = stamp, sha256
        same = old is not None and old.sha256 == sha256 and not misplaced
        return _Read(sha256, len(content), None if same else content)


def plain_name(path: str) -> str:
    """Write a name with what any store takes as it is: webdav4 gets lost in others.

    Examples
    --------
    >>> plain_name("tables/Bäcker 1.csv")
    'tables/B=C3=A4cker=201.csv'
    """
    return quote(path, safe="/").replace("%", "=")


def _object(path: str, sha256: str, used: set[str]) -> str:
    """Name the bytes of a file so that none that a reader may be reading are written over."""
    plain = plain_name(path)
    return plain if plain not in used else f"{plain}~{sha256[:16]}"


def _paths_in(folder: Path) -> list[str]:
    """List the files below a folder, but for hidden ones and links."""
    found: list[str] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        below = Path(parent).relative_to(folder)
        found += [(below / name).as_posix() for name in sorted(names) if not name.startswith(".")]
    for path in found:
        if not is_safe_name(path):
            raise StorageError(
                f"{folder}: found a file called {path!r:.100}, which can't be sent: its name can't "
                "be kept everywhere; wanted another name"
            )
    return found
