"""What a set of true entries comes to: members, who has left, and entries that don't count.

A function of the set alone. Entries are gone through in the order of their times, each after those
that it builds on; of two that can't both count the earlier one does.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from glean.mesh.membership_entry import MembershipEntry
from glean.privacy.members import folder_name


@dataclass(frozen=True)
class MeshMember:
    """A bakery that belongs to a mesh, or did.

    Parameters
    ----------
    name, key : str
        Its name, and its public key as a line of OpenSSH.
    entry : str
        Id of the entry by which it belongs to the mesh.
    invited_by : str
        Name of who countersigned that; "" of who founded the mesh.
    joined_at : int
        When, s since 1970.
    head : str
        Id of the last entry that it made, or `entry`.
    left_at : int or None
        When it left.
    """

    name: str
    key: str
    entry: str
    invited_by: str
    joined_at: int
    head: str
    left_at: int | None = None

    def is_called(self, name: str) -> bool:
        """Whether a name is its own, or too like it for both to belong to the mesh."""
        return _comparable(self.name) == _comparable(name)


@dataclass(frozen=True)
class RefusedEntry:
    """An entry that doesn't count.

    Parameters
    ----------
    entry : MembershipEntry
        Which one.
    fault : str
        What is wrong with it, in a word or three.
    text : str
        The same as a sentence that names the bakery.
    """

    entry: MembershipEntry
    fault: str
    text: str


@dataclass(frozen=True)
class MemberView:
    """What a set of entries comes to.

    Parameters
    ----------
    members : mapping
        Who belongs to the mesh now, by name.
    left : tuple of MeshMember
        Who did.
    refused : tuple of RefusedEntry
        True entries that don't count beside others.
    """

    members: Mapping[str, MeshMember]
    left: tuple[MeshMember, ...]
    refused: tuple[RefusedEntry, ...]


def member_view(mesh: str, entries: Mapping[str, MembershipEntry]) -> MemberView:
    """Go through a set of entries.

    Parameters
    ----------
    mesh : str
        Id of the entry that founded the mesh.
    entries : mapping
        True ones by their ids, each with those that it builds on.
    """
    following: dict[tuple[str, str], list[MembershipEntry]] = defaultdict(list)
    for entry in entries.values():
        following[entry.author, entry.previous].append(entry)
    # A heap, as what follows from an entry may be of the same second.
    tally = _Tally()
    due = [(entries[mesh].at, mesh)] if mesh in entries else []
    while due:
        _, key = heapq.heappop(due)
        for author in tally.take(entries[key]):
            for follower in following[author, key]:
                heapq.heappush(due, (follower.at, follower.id))
    return tally.view(entries)


class _Tally:
    def __init__(self) -> None:
        self._active: dict[str, MeshMember] = {}  # by the entry by which it belongs
        self._names: dict[str, str] = {}  # as a folder's name -> that entry
        self._keys: set[str] = set()
        self._left: list[MeshMember] = []
        self._invitations: dict[tuple[str, str], str] = {}  # whose it was, hash -> who joined by it
        self._refused: list[RefusedEntry] = []
        self._done: set[str] = set()

    def take(self, entry: MembershipEntry) -> tuple[str, ...]:
        """Take an entry in, and say whose entries go on from it."""
        self._done.add(entry.id)
        if entry.kind == "found":
            self._add(entry, invited_by="")
            return (entry.id,)
        author = self._active.get(entry.author)
        if author is None or author.head != entry.previous:
            self._refuse(entry, "forked", "its author has signed another entry in its place")
            return ()
        self._active[entry.author] = replace(author, head=entry.id)
        if entry.kind == "leave":
            self._remove(entry)
            return ()
        fault = self._fault(entry)
        if fault is not None:  # of no effect, but its author goes on after it
            self._refuse(entry, *fault)
            return (entry.author,)
        self._add(entry, invited_by=author.name)
        return (entry.author, entry.id)

    def _add(self, entry: MembershipEntry, *, invited_by: str) -> None:
        self._active[entry.id] = MeshMember(
            entry.name, entry.key, entry.id, invited_by, entry.at, entry.id
        )
        self._names[_comparable(entry.name)] = entry.id
        self._keys.add(entry.key)
        self._invitations[entry.author, entry.invitation] = entry.name

    def _remove(self, entry: MembershipEntry) -> None:
        leaves = self._active.pop(entry.author)
        self._left.append(replace(leaves, left_at=entry.at))
        self._keys.discard(leaves.key)
        del self._names[_comparable(entry.name)]

    def _fault(self, entry: MembershipEntry) -> tuple[str, str] | None:
        by = self._invitations.get((entry.author, entry.invitation))
        if by is not None:
            return "replayed", f"its invitation was used by {by!r} before"
        holder = self._active.get(self._names.get(_comparable(entry.name), ""))
        if holder is not None:
            return "name taken", f"{holder.name!r} belongs to the mesh already"
        if entry.key in self._keys:
            return "key taken", "another member has this key"
        return None

    def _refuse(self, entry: MembershipEntry, fault: str, text: str) -> None:
        said = f"membership: {entry.kind} of {entry.name!r}: {fault}: {text}"
        self._refused.append(RefusedEntry(entry, fault, said))

    def view(self, entries: Mapping[str, MembershipEntry]) -> MemberView:
        """Give what came of it; what builds on what doesn't count doesn't either."""
        for key in sorted(entries.keys() - self._done):
            self._refuse(entries[key], "not a member", "who stands for it isn't a member")
        members = sorted(self._active.values(), key=lambda member: member.name)
        return MemberView(
            {member.name: member for member in members},
            tuple(self._left),
            tuple(self._refused),
        )


def _comparable(name: str) -> str:
    """As a folder has it, so that no two members' files fall together."""
    return folder_name(name).casefold()
