"""What has changed in the folder of a run that goes on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from glean.errors import FederationError
from glean.mesh.runs.manifest import MOST_FILE_BYTES, KeptFile, Manifest

UNHURRIED = ("events.jsonl",)
"""What may stay behind until something else changes: a line there alone binds nobody."""

_LEFT_OUT = ".log"

_Stamp = tuple[int, int, int]


class RunFolderReader:
    """Reads a run's folder again and again; of files that stay as they are only once.

    Parameters
    ----------
    folder : Path
        The folder, whose files are replaced whole or appended to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, tuple[_Stamp, KeptFile]] = {}

    def read(self, had: Collection[str]) -> tuple[Manifest, dict[str, bytes]]:
        """Say which files there are, and give the contents of those that aren't had.

        Links, names that begin with a dot and logs are left out.

        Parameters
        ----------
        had : collection of str
            Digests that need not be given.

        Returns
        -------
        manifest : Manifest
            The files.
        contents : dict of str to bytes
            By digest.

        Raises
        ------
        FederationError
            There is a file that can't be kept by others.
        OSError
            It can't be read.
        """
        found: dict[str, KeptFile] = {}
        contents: dict[str, bytes] = {}
        for name, entry in _files(self.folder):
            stamp = _stamp(entry)
            known = self._known.get(name)
            if known is not None and known[0] == stamp and known[1].digest in had:
                found[name] = known[1]
                continue
            content = _content(Path(entry.path), name)
            kept = KeptFile(hashlib.sha256(content).hexdigest(), len(content))
            found[name] = kept
            self._known[name] = stamp, kept
            if kept.digest not in had:
                contents[kept.digest] = content
        return Manifest(found), contents


def binds(old: Manifest, new: Manifest) -> bool:
    """Whether a successor has to know of what has changed before anybody hears of it."""
    return _without_unhurried(old) != _without_unhurried(new)


def _without_unhurried(manifest: Manifest) -> dict[str, KeptFile]:
    return {name: kept for name, kept in manifest.files.items() if name not in UNHURRIED}


def _files(folder: Path, before: str = "") -> Iterator[tuple[str, os.DirEntry[str]]]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.startswith(".") or entry.is_symlink():
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _files(Path(entry.path), f"{before}{entry.name}/")
            elif entry.is_file(follow_symlinks=False) and not entry.name.endswith(_LEFT_OUT):
                yield before + entry.name, entry


def _stamp(entry: os.DirEntry[str]) -> _Stamp:
    found = entry.stat(follow_symlinks=False)
    return found.st_ino, found.st_size, found.st_mtime_ns


def _content(path: Path, name: str) -> bytes:
    with path.open("rb") as file:
        content = file.read(MOST_FILE_BYTES + 1)
    if len(content) > MOST_FILE_BYTES:
        raise FederationError(
            f"file {name!r} of the run has more than {MOST_FILE_BYTES:,} bytes, which no message "
            "of the mesh can carry: its coordinator's successor couldn't go on with it"
        )
    return content
