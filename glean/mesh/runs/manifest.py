"""What files a run's folder has, by their digests; names that lead out of it are refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from glean.errors import FederationError

MOST_FILES = 4096
MOST_FILE_BYTES = 56 * 2**20
"""What a message of the mesh can carry."""

MOST_BYTES = 2**32

_LONGEST_NAME = 200
_MOST_PARTS = 4
_PART = re.compile(r"(?![.\s])[^/\\\\:*?\"<>|]+(?<![.\s])")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class KeptFile:
    """A file.

    Parameters
    ----------
    digest : str
        SHA-256 of its content, hexadecimal.
    size : int
        Its bytes.
    """

    digest: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """The files of a folder.

    Parameters
    ----------
    files : mapping of str to KeptFile
        By path in the folder, with "/" between its parts.

    Raises
    ------
    FederationError
        They can't be a run's.
    """

    files: Mapping[str, KeptFile] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.files) > MOST_FILES:
            raise FederationError(
                f"files of a run: found {len(self.files)}; wanted at most {MOST_FILES}"
            )
        for name, kept in self.files.items():
            _check_name(name)
            if kept.size > MOST_FILE_BYTES:
                raise FederationError(
                    f"file {name!r} of a run: found {kept.size:,} bytes; wanted at most "
                    f"{MOST_FILE_BYTES:,}, which a message of the mesh can carry"
                )
        if sum(kept.size for kept in self.files.values()) > MOST_BYTES:
            raise FederationError(f"files of a run: wanted at most {MOST_BYTES:,} bytes in all")
        self._check_places()

    @property
    def digests(self) -> dict[str, int]:
        """Digest -> bytes of its content."""
        return {kept.digest: kept.size for kept in self.files.values()}

    def to_content(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        return {name: [kept.digest, kept.size] for name, kept in sorted(self.files.items())}

    @classmethod
    def of(cls, content: object) -> Manifest:
        """Read what `to_content` gave.

        Raises
        ------
        FederationError
            It is something else.
        """
        if not isinstance(content, Mapping):
            raise FederationError(f"files of a run: found {content!r:.80}; wanted names")
        return cls({name: _kept(name, found) for name, found in content.items()})

    def _check_places(self) -> None:
        """Refuse two names for one place: some drives don't tell "A" from "a"."""
        places = {name.casefold() for name in self.files}
        folders = {
            "/".join(parts[:k])
            for parts in (place.split("/") for place in places)
            for k in range(1, len(parts))
        }
        if len(places) < len(self.files) or places & folders:
            raise FederationError("files of a run: found two names for one place")


def check_digest(digest: object) -> str:
    """Refuse what is no digest: it names a file.

    Raises
    ------
    FederationError
        It is none.
    """
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise FederationError(f"digest of a file: found {digest!r:.80}; wanted a SHA-256")
    return digest


def _kept(name: object, found: object) -> KeptFile:
    if not isinstance(found, list) or len(found) != 2:
        raise FederationError(f"file {name!r:.80} of a run: wanted its digest and size")
    digest, size = found
    if type(size) is not int or size < 0:
        raise FederationError(f"file {name!r:.80} of a run: found {size!r:.40} bytes")
    return KeptFile(check_digest(digest), size)


def _check_name(name: object) -> None:
    parts = name.split("/") if isinstance(name, str) else []
    short = isinstance(name, str) and len(name) <= _LONGEST_NAME and len(parts) <= _MOST_PARTS
    if not short or not all(_PART.fullmatch(part) and part.isprintable() for part in parts):
        raise FederationError(
            f"file of a run: found the name {name!r:.80}; wanted a short path within its folder"
        )
