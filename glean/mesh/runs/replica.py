"""The newest version of a run that this peer has on disk: its files, and their names.

A version is there whole or not at all: contents lie under their digests, and one file that is
replaced at once says which belong to it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from glean.consensus.state_version import Version
from glean.errors import FederationError
from glean.mesh.mesh_home import write_json
from glean.mesh.runs.manifest import Manifest, check_digest
from glean.mesh.runs.run_end import RunEnd, end_of
from glean.mesh.runs.run_errors import LocalFailureError
from glean.runs.folder import write_whole

_STATE, _CONTENTS = "version.json", "contents"
_CLOSED = 0o700


@dataclass(frozen=True)
class StoredVersion:
    """A version of a run.

    Parameters
    ----------
    version : Version
        Which one.
    manifest : Manifest
        Its files.
    ended : RunEnd or None
        How the run ended, in its last version.
    """

    version: Version = field(default_factory=Version)
    manifest: Manifest = field(default_factory=Manifest)
    ended: RunEnd | None = None


class Replica:
    """The files; of one thread at a time.

    Parameters
    ----------
    folder : Path
        Where they lie; made where there is none.

    Raises
    ------
    LocalFailureError
        What is there can't be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._contents = folder / _CONTENTS
        self._contents.mkdir(mode=_CLOSED, parents=True, exist_ok=True)
        self._wanted: dict[str, int] = {}
        self.stored = self._read()

    def missing(self, manifest: Manifest) -> list[str]:
        """Digests of what isn't here, in text order; from now on that is taken."""
        self._wanted = {d: s for d, s in manifest.digests.items() if not self._has(d, s)}
        return sorted(self._wanted)

    def add(self, contents: Iterable[bytes]) -> int:
        """Keep contents that are missing; how many were. What nobody waits for is left out.

        Raises
        ------
        OSError
            There is no room.
        """
        taken = 0
        for content in contents:
            digest = hashlib.sha256(content).hexdigest()
            if self._wanted.get(digest) == len(content):
                write_whole(self._contents / digest, content)
                del self._wanted[digest]
                taken += 1
        return taken

    def keep(self, stored: StoredVersion) -> None:
        """Have a version from now on; it is on disk when this returns.

        Raises
        ------
        FederationError
            Contents of it are missing.
        OSError
            There is no room.
        """
        if missing := self.missing(stored.manifest):
            raise FederationError(f"a version of a run: found no contents of {len(missing)} files")
        write_json(
            self._folder / _STATE,
            {
                "term": stored.version.term,
                "index": stored.version.index,
                "files": stored.manifest.to_content(),
                "ended": stored.ended.to_content() if stored.ended else None,
            },
        )
        self.stored = stored
        self._tidy(stored.manifest.digests)

    def content(self, digest: str) -> bytes:
        """Give a file's content, as it was when it was kept.

        Raises
        ------
        LocalFailureError
            It isn't here, or damaged.
        """
        path = self._contents / check_digest(digest)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise LocalFailureError(f"{path} can't be read: {error.strerror or error}") from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise LocalFailureError(f"{path} is damaged: its bytes aren't those that were kept")
        return content

    def has(self, digest: str) -> bool:
        """Whether a content is of the version that is stored."""
        return digest in self.stored.manifest.digests

    def restore(self, to: Path, *, lasting: bool = True) -> None:
        """Write the files of the version that is stored into a folder that isn't there yet.

        Raises
        ------
        LocalFailureError
            A content isn't here, or damaged.
        OSError
            It can't be written.
        """
        to.mkdir(mode=_CLOSED, parents=True)
        for name, kept in self.stored.manifest.files.items():
            path = to / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, self.content(kept.digest), lasting=lasting)

    def _read(self) -> StoredVersion:
        path = self._folder / _STATE
        try:
            found = json.loads(path.read_bytes())
            ended = end_of(found["ended"]) if found["ended"] is not None else None
            version = Version(found["term"], found["index"])
            stored = StoredVersion(version, Manifest.of(found["files"]), ended)
        except FileNotFoundError:
            return StoredVersion()
        except (OSError, ValueError, TypeError, KeyError, FederationError) as error:
            raise LocalFailureError(f"{path} can't be read: {error}") from error
        return stored

    def _has(self, digest: str, size: int) -> bool:
        try:
            return (self._contents / digest).stat().st_size == size
        except OSError:
            return False

    def _tidy(self, wanted: Collection[str]) -> None:
        for path in self._contents.iterdir():
            if path.name not in wanted:
                path.unlink(missing_ok=True)
