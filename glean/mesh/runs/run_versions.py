"""Versions of a run on their way from its coordinator to a participant, or to who comes late.

A participant asks for contents that it misses once; again only after a while, since over a bad line
they may be on their way for minutes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from glean.consensus.state_version import NOTHING
from glean.errors import FederationError
from glean.mesh.runs.manifest import Manifest
from glean.mesh.runs.replica import Replica, StoredVersion
from glean.mesh.runs.run_end import end_of
from glean.mesh.runs.run_messages import (
    BATCH_BYTES,
    END,
    FILES,
    STORE,
    RunMessage,
    version_content,
)


class RunVersions:
    """What of a run is stored here, and what is to be; of one thread at a time.

    Parameters
    ----------
    folder : Path
        Where it is stored.
    key : str
        The run's.
    ask_again_s : float
        After how many seconds contents are asked for again.

    Raises
    ------
    LocalFailureError
        What is there can't be read.
    """

    def __init__(self, folder: Path, key: str, *, ask_again_s: float) -> None:
        self._key, self._ask_again_s = key, ask_again_s
        self.replica = Replica(folder)
        self.pending: StoredVersion | None = None
        self.pending_from, self.pending_term = "", 0
        self._asked: dict[str, float] = {}
        self._counted = (NOTHING, 0)

    @property
    def stored(self) -> StoredVersion:
        """What is stored."""
        return self.replica.stored

    @property
    def round_count(self) -> int:
        """How many rounds the version that is stored has the results of."""
        if self._counted[0] != self.stored.version:
            kept = self.stored.manifest.files.get("rounds.csv")
            lines = self.replica.content(kept.digest).count(b"\n") if kept else 0
            self._counted = self.stored.version, max(0, lines - 1)
        return self._counted[1]

    def offer(
        self, offered: StoredVersion, contents: Iterable[bytes], *, sender: str, term: int = 0
    ) -> bool:
        """Store a version that somebody has, with some of its contents; whether all were there.

        Raises
        ------
        OSError
            There is no room.
        """
        self.pending, self.pending_from, self.pending_term = offered, sender, term
        self.replica.missing(offered.manifest)
        return self.add(contents)

    def add(self, contents: Iterable[bytes]) -> bool:
        """Take contents that were missing; whether a version was stored that waited for them.

        Raises
        ------
        OSError
            There is no room.
        """
        self.replica.add(contents)
        if self.pending is None or self.replica.missing(self.pending.manifest):
            return False
        self.replica.keep(self.pending)
        self.pending = None
        self._asked.clear()
        return True

    def to_ask(self, now: float) -> list[str]:
        """Give what is missing and wasn't asked for of late; from now on it was."""
        if self.pending is None:
            return []
        missing = self.replica.missing(self.pending.manifest)
        since = now - self._ask_again_s
        due = [d for d in missing if self._asked.get(d, since) <= since]
        self._asked |= dict.fromkeys(due, now)
        return due

    def store_message(self, term: int, contents: Mapping[str, bytes]) -> RunMessage:
        """Write the version that is stored, with those contents that one message can carry."""
        batch = next(batches(contents.values()), [])
        return RunMessage(STORE, self._key, {"term": term, **_head(self.stored)}, tuple(batch))

    def end_message(self, plan: bytes) -> RunMessage:
        """Write how the run ended, as the version that is stored says; with its plan."""
        return RunMessage(END, self._key, _head(self.stored), (plan,))

    def files_messages(self, digests: Iterable[str]) -> Iterator[RunMessage]:
        """Write contents that somebody misses, as far as they are of the version stored here.

        Raises
        ------
        LocalFailureError
            One can't be read.
        """
        there = (self.replica.content(digest) for digest in digests if self.replica.has(digest))
        for batch in batches(there):
            yield RunMessage(FILES, self._key, {}, tuple(batch))


def offered_version(message: RunMessage) -> StoredVersion:
    """Read which version a message offers, or with which one the run ended.

    Raises
    ------
    FederationError
        It says something else.
    """
    ended = message.head.get("ended")
    version = message.version()
    if version == NOTHING:
        raise FederationError(f"{message.kind}: found no version of the run")
    return StoredVersion(
        version, Manifest.of(message.head.get("files")), None if ended is None else end_of(ended)
    )


def batches(contents: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Divide contents up into what single messages can carry."""
    batch: list[bytes] = []
    size = 0
    for content in contents:
        if batch and size + len(content) > BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(content)
        size += len(content)
    if batch:
        yield batch


def _head(stored: StoredVersion) -> dict[str, object]:
    return {
        "version": version_content(stored.version),
        "files": stored.manifest.to_content(),
        "ended": stored.ended.to_content() if stored.ended else None,
    }
