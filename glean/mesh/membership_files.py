"""Entries and cards as a peer's home keeps them: each file written whole, for its owner alone."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from glean.mesh.membership import Membership
from glean.mesh.membership_entry import (
    MembershipEntry,
    MembershipError,
    found_entry,
    read_entry,
)
from glean.mesh.mesh_home import MeshHome, write_json
from glean.mesh.peer_card import PeerCard, read_card
from glean.privacy.peer_identity import PeerIdentity
from glean.regular_files import read_regular


def found_mesh(
    home: MeshHome, signer: PeerIdentity, name: str, title: str, *, rsa_accepted: bool = False
) -> MembershipEntry:
    """Found a mesh in a home; its entry."""
    entry = found_entry(signer, name, title, at=int(time.time()), rsa_accepted=rsa_accepted)
    write_entries(home, Membership.of(entry.id, [entry]))
    return entry


def write_entries(home: MeshHome, membership: Membership) -> None:
    """Write all entries that are known."""
    content = {"entries": [entry.content() for entry in membership.entries.values()]}
    write_json(home.membership, content)


def read_entries(contents: Iterable[Any]) -> tuple[list[MembershipEntry], list[str]]:
    """Read entries from others; of those that aren't any, what is wrong."""
    found, wrong = [], []
    for content in contents:
        try:
            found.append(read_entry(content))
        except MembershipError as error:
            wrong.append(str(error))
    return found, wrong


def read_membership(home: MeshHome, mesh: str) -> Membership:
    """Read the entries that a home has.

    Raises
    ------
    MembershipError
        They can't be read, or aren't true.
    """
    path = home.membership
    try:
        contents = json.loads(read_regular(path))["entries"]
        return Membership.of(mesh, [read_entry(content) for content in contents])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise MembershipError(
            f"{path} can't be read: {error!r:.200}; wanted the file as it was written: take it "
            "from a backup, or join anew"
        ) from error


def read_cards(home: MeshHome) -> tuple[PeerCard, ...]:
    """Read the cards of before; what can't be read is asked for again."""
    try:
        return tuple(map(read_card, json.loads(read_regular(home.cards))["cards"]))
    except (OSError, ValueError, TypeError, KeyError, MembershipError):
        return ()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let no other process write a file meanwhile."""
    descriptor = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def stamp_of(path: Path) -> tuple[int, int] | None:
    """Tell one version of a file from another; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino
