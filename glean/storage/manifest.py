"""What a store has of a folder: each file with its size, its SHA-256 and where its bytes lie.

A folder is there for a reader once its manifest is: it is written after all that it names, and a
file that it names is never written over. It carries its own SHA-256, and its successor is kept
beside it while it is replaced, since not every store replaces a file as a whole.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from glean.runs.folder import utc_now
from glean.storage.store import Storage
from glean.storage.store_errors import StorageError, StoredFileMissingError

MANIFEST, SUCCESSOR = "manifest.json", "manifest-new.json"

_FORMAT = 1
_LONGEST_NAME, _LONGEST_PART = 500, 200
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True)
class StoredFile:
    """A file of a stored folder.

    Parameters
    ----------
    path : str
        Where in the folder it lies, with "/" between.
    sha256 : str
        Of its bytes, hexadecimal.
    bytes : int
        How many.
    object : str
        Name in the store, below the folder's: the path or, while the file changes, more.
    """

    path: str
    sha256: str
    bytes: int
    object: str


@dataclass(frozen=True)
class Manifest:
    """All files of a stored folder.

    Parameters
    ----------
    files : tuple of StoredFile
        By path.
    status : str
        Of a run: "running", "completed" or "failed"; "" of other folders.
    sent_at : str
        When it was written, UTC.
    """

    files: tuple[StoredFile, ...] = ()
    status: str = ""
    sent_at: str = ""

    @property
    def by_path(self) -> dict[str, StoredFile]:
        """Files by their path."""
        return {file.path: file for file in self.files}

    @property
    def digest(self) -> str:
        """What tells this content from another, whenever it was written."""
        return _digest([asdict(file) for file in self.files])

    def to_bytes(self) -> bytes:
        """Write it as JSON."""
        content = {
            "format": _FORMAT,
            "status": self.status,
            "sent_at": self.sent_at or utc_now(),
            "files": [asdict(file) for file in self.files],
        }
        return json.dumps({"sha256": _digest(content), "manifest": content}, indent=1).encode()


class DamagedManifestError(StorageError):
    """A stored folder's manifest can't be trusted."""


def read_manifest(storage: Storage, folder: str) -> Manifest | None:
    """Read the manifest of a stored folder; None where no whole one was ever there.

    Raises
    ------
    DamagedManifestError
        Neither it nor its successor is whole, or it names files that no folder of Glean has.
    StorageError
        The store doesn't answer.
    """
    damaged = False
    for name in (MANIFEST, SUCCESSOR):
        try:
            content = _whole(storage.read(f"{folder}/{name}"))
        except StoredFileMissingError:
            continue
        if content is not None:
            return _checked(content, f"{storage.url}/{folder}/{name}")
        damaged = damaged or name == MANIFEST
    if damaged:
        raise DamagedManifestError(
            f"{storage.url}/{folder}/{MANIFEST} is damaged; wanted it as Glean wrote it: send the "
            "folder anew from where it was made"
        )
    return None


def write_manifest(storage: Storage, folder: str, manifest: Manifest) -> None:
    """Write it so that at each moment a whole one is there, where there was one before."""
    content = manifest.to_bytes()
    storage.write(f"{folder}/{SUCCESSOR}", content)
    storage.write(f"{folder}/{MANIFEST}", content)


def is_safe_name(name: Any) -> bool:
    """Whether a name leads to a file within a folder, on any system, and to no hidden one.

    Examples
    --------
    >>> is_safe_name("models/round_001.ubj"), is_safe_name("../x"), is_safe_name("/etc/passwd")
    (True, False, False)
    """
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        return False
    if "\\" in name or ":" in name:
        return False
    return all(_is_safe_part(part) for part in name.split("/"))


def _is_safe_part(part: str) -> bool:
    hidden = not part or part.startswith(".") or part.endswith((".", " "))
    return not hidden and len(part.encode()) <= _LONGEST_PART


def _whole(content: bytes) -> dict[str, Any] | None:
    """Give what a manifest says; None where it isn't whole."""
    try:
        found = json.loads(content)
        said, body = found["sha256"], found["manifest"]
        whole = isinstance(body, dict) and said == _digest(body)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return body if whole else None


def _checked(content: dict[str, Any], url: str) -> Manifest:
    if content.get("format") != _FORMAT:
        raise StorageError(
            f"{url}: found format {content.get('format')!r:.40}; wanted {_FORMAT}: it was written "
            "by another version of Glean, which can read it"
        )
    rows = content.get("files")
    try:
        files = tuple(StoredFile(**row) for row in rows or ())
    except TypeError as error:
        raise _hostile(url, "rows that are none of a file") from error
    for file in files:
        _check(file, url)
    # Where small and capital letters are the same two of them would be one file.
    if len({file.path.casefold() for file in files}) < len(files):
        raise _hostile(url, "a file twice")
    return Manifest(files, str(content.get("status", "")), str(content.get("sent_at", "")))


def _check(file: StoredFile, url: str) -> None:
    for name in (file.path, file.object):
        if not is_safe_name(name):
            raise _hostile(url, f"a file called {name!r:.80}")
    sha256 = isinstance(file.sha256, str) and len(file.sha256) == 64 and set(file.sha256) <= _HEX
    if not sha256 or type(file.bytes) is not int or file.bytes < 0:
        raise _hostile(url, f"no SHA-256 or no size of {file.path}")


def _hostile(url: str, found: str) -> DamagedManifestError:
    return DamagedManifestError(
        f"{url}: found {found}; wanted names within the folder, each once, with size and SHA-256, "
        "as Glean writes them. Nothing was fetched: ask whoever keeps the store"
    )


def _digest(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
