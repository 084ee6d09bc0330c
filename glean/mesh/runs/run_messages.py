"""What peers say to each other of a run: a head in JSON, and contents behind it.

Who sent it the mesh has proved; everything in it is that peer's word, and is checked as it is read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from glean.consensus.state_version import Version
from glean.errors import FederationError
from glean.mesh.runs.manifest import MOST_FILES, check_digest
from glean.mesh.runs.run_plan import check_key

CONSENSUS = "run-consensus"
"""A vote or a heartbeat."""

PLAN = "run-plan"
"""What is proposed."""

STORE = "run-store"
"""A version to store: the names of its files, and contents of some."""

STORED = "run-stored"
"""What a participant has stored of a version, and which contents it misses."""

FILES = "run-files"
"""Contents that were asked for."""

ASK = "run-ask"
"""What a peer asks another for: the plan, or contents."""

TASK, REPLY = "run-task", "run-reply"
"""A message to a client, and what it answers."""

END = "run-end"
"""How a run ended, and with which files."""

CANCEL = "run-cancel"
"""That the proposer wants it to end."""

KINDS = (CONSENSUS, PLAN, STORED, STORE, FILES, ASK, TASK, REPLY, END, CANCEL)
"""All of them, in the order in which a peer handles what has come."""

MOST_HEAD_BYTES = 2**20
BATCH_BYTES = 32 * 2**20
"""Contents that go in one message, where none of them is larger than that."""

_LARGEST_NUMBER = 2**53
_LONGEST_TEXT = 200
_LENGTH_BYTES = 4


@dataclass(frozen=True)
class RunMessage:
    """A message of a run.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    key : str
        The run's.
    head : mapping
        What it says, as JSON has it.
    contents : tuple of bytes
        What goes with it.
    """

    kind: str
    key: str
    head: Mapping[str, Any] = field(default_factory=dict)
    contents: tuple[bytes, ...] = ()

    def to_bytes(self) -> bytes:
        """Write it; `from_bytes` reads it."""
        sizes = [len(content) for content in self.contents]
        head = json.dumps(
            {"key": self.key, "head": dict(self.head), "sizes": sizes}, allow_nan=False
        ).encode()
        if len(head) > MOST_HEAD_BYTES:
            raise FederationError(f"a message of a run: found a head of {len(head):,} bytes")
        return b"".join([len(head).to_bytes(_LENGTH_BYTES, "big"), head, *self.contents])

    @classmethod
    def from_bytes(cls, kind: str, body: bytes) -> RunMessage:
        """Read what `to_bytes` wrote.

        Raises
        ------
        FederationError
            It is something else.
        """
        length = int.from_bytes(body[:_LENGTH_BYTES], "big")
        if not 0 < length <= MOST_HEAD_BYTES or len(body) < _LENGTH_BYTES + length:
            raise FederationError(f"{kind}: found a head of {length:,} in {len(body):,} bytes")
        at = _LENGTH_BYTES + length
        found = _head(kind, body[_LENGTH_BYTES:at])
        sizes = found["sizes"]
        if (
            not isinstance(sizes, list)
            or len(sizes) > MOST_FILES
            or not all(type(size) is int and size >= 0 for size in sizes)
            or sum(sizes) != len(body) - at
        ):
            raise FederationError(f"{kind}: its contents aren't as long as its head says")
        contents = []
        for size in sizes:
            contents.append(body[at : at + size])
            at += size
        return cls(kind, check_key(found["key"]), found["head"], tuple(contents))

    def number(self, name: str) -> int:
        """Give a whole number of the head, such as a term."""
        found = self.head.get(name)
        if type(found) is not int or not 0 <= found < _LARGEST_NUMBER:
            raise self._misfit(name, "a whole number")
        return found

    def text(self, name: str) -> str:
        """Give a short text of the head."""
        found = self.head.get(name)
        if not isinstance(found, str) or not 0 < len(found) <= _LONGEST_TEXT:
            raise self._misfit(name, "a short text")
        return found

    def flag(self, name: str) -> bool:
        """Give what of the head is true or not."""
        found = self.head.get(name)
        if type(found) is not bool:
            raise self._misfit(name, "true or false")
        return found

    def digests(self, name: str) -> list[str]:
        """Give digests of files."""
        found = self.head.get(name)
        if not isinstance(found, list) or len(found) > MOST_FILES:
            raise self._misfit(name, "digests")
        return [check_digest(digest) for digest in found]

    def version(self) -> Version:
        """Give the version that it is about."""
        found = self.head.get("version")
        if isinstance(found, list) and [type(n) for n in found] == [int, int]:
            term, index = found
            if 0 <= term < _LARGEST_NUMBER and 0 <= index < _LARGEST_NUMBER:
                return Version(term, index)
        raise self._misfit("version", "its term and index")

    def content(self, at: int = 0, *, of: int = 1) -> bytes:
        """Give one of the contents, where so many are wanted."""
        if len(self.contents) != of:
            raise FederationError(f"{self.kind}: found {len(self.contents)} contents; wanted {of}")
        return self.contents[at]

    def _misfit(self, name: str, wanted: str) -> FederationError:
        found = self.head.get(name)
        return FederationError(f"{self.kind}, {name}: found {found!r:.60}; wanted {wanted}")


def version_content(version: Version) -> list[int]:
    """Write a version for a head."""
    return [version.term, version.index]


def _head(kind: str, text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FederationError(f"{kind}: its head can't be read: {error!s:.100}") from error
    if (
        not isinstance(found, dict)
        or found.keys() != {"key", "head", "sizes"}
        or not isinstance(found["head"], dict)
    ):
        raise FederationError(f"{kind}: its head isn't one of a message of a run")
    return found
