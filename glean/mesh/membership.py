"""Who belongs to a mesh: a set of signed entries that only grows, and what follows from it.

Entries that peers sent go in; members, and entries that don't count with the reason, come out.
Two peers that know the same entries have the same members, in whatever order entries came: merging
is a union of sets (commutative, associative, idempotent), and members are a function of the set.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from glean.errors import CertificateError
from glean.mesh.entry_order import in_order
from glean.mesh.member_keys import public_key, signature_fits
from glean.mesh.member_view import MemberView, MeshMember, RefusedEntry, member_view
from glean.mesh.membership_entry import KINDS_OF_KEYS, MembershipEntry, MembershipError

MOST_ENTRIES = 10_000
"""Of one mesh: so a member gone wrong can't fill the others' disks. Each may leave all the same."""

CLOCK_ERROR_S = 300
"""How far a peer's clock may be ahead."""

EntryFault = Literal[
    "foreign", "unknown author", "wrong key", "forged", "re-signed", "back-dated", "ahead of time",
    "after leaving", "too many",
]  # fmt: skip


class EntryRefusedError(MembershipError):
    """An entry isn't taken.

    Parameters
    ----------
    entry : MembershipEntry
        Which one.
    fault : str
        What is wrong with it.
    text : str
        The same as a sentence.
    """

    def __init__(self, entry: MembershipEntry, fault: EntryFault, text: str) -> None:
        self.entry = entry
        self.fault = fault
        super().__init__(f"membership: {entry.kind} of {entry.name!r}: {fault}: {text}")

    @property
    def refused(self) -> RefusedEntry:
        """The same as a value."""
        return RefusedEntry(self.entry, self.fault, str(self))


@dataclass(frozen=True)
class SeenHead:
    """What a member has signed of itself: that an entry was its last one at a time.

    Parameters
    ----------
    head : str
        Id of that entry.
    at : int
        When, s since 1970.
    """

    head: str
    at: int


@dataclass(frozen=True)
class Membership:
    """Entries of one mesh, each with all that it builds on.

    Parameters
    ----------
    mesh : str
        Id of the mesh: that of the entry that founded it.
    entries : mapping
        By their ids.
    """

    mesh: str
    entries: Mapping[str, MembershipEntry] = field(default_factory=dict)

    @classmethod
    def of(cls, mesh: str, entries: Iterable[MembershipEntry]) -> Membership:
        """Read entries that are all true.

        Raises
        ------
        MembershipError
            One isn't; or that which founded the mesh is missing.
        """
        found, refusals = cls(mesh).offered(entries)
        if refusals:
            raise refusals[0]
        if mesh not in found.entries:
            raise MembershipError(
                f"membership: found no entry that founds the mesh {mesh[:16]}…; wanted it too"
            )
        return found

    @cached_property
    def view(self) -> MemberView:
        """What follows from the entries."""
        return member_view(self.mesh, self.entries)

    @property
    def title(self) -> str:
        """What the mesh is called."""
        return self.entries[self.mesh].title

    @property
    def rsa_accepted(self) -> bool:
        """Whether members may have RSA keys."""
        return self.entries[self.mesh].keys == KINDS_OF_KEYS[True]

    def member(self, name: str) -> MeshMember | None:
        """Find who belongs to it now, by name."""
        return self.view.members.get(name)

    def by_key(self, key: str) -> MeshMember | None:
        """Find who belongs to it now, by public key."""
        return next((one for one in self.view.members.values() if one.key == key), None)

    def merged(self, other: Membership) -> Membership:
        """Put what two peers know together.

        Raises
        ------
        MembershipError
            They are of two meshes.
        """
        if other.mesh != self.mesh:
            raise MembershipError(
                f"membership: found a mesh {other.mesh[:16]}…; wanted {self.mesh[:16]}…"
            )
        both = dict(self.entries)
        for key, entry in other.entries.items():
            both[key] = min(entry, both[key], key=_signatures) if key in both else entry
        return Membership(self.mesh, dict(sorted(both.items())))

    def offered(
        self,
        entries: Iterable[MembershipEntry],
        *,
        now: float | None = None,
        heads: Mapping[str, SeenHead] | None = None,
    ) -> tuple[Membership, list[EntryRefusedError]]:
        """Take entries that are true, in whatever order they come; others are named.

        Parameters
        ----------
        entries : iterable of MembershipEntry
            As somebody sent them.
        now : float, optional
            The time, s since 1970: what is dated later waits outside.
        heads : mapping, optional
            By author: what it has signed of its own last entry.
        """
        found = dict(self.entries)
        check = _EntryCheck(self.mesh, found, now, heads or {})
        refusals: list[EntryRefusedError] = []
        for entry in in_order(entries):
            try:
                check.check(entry)
            except EntryRefusedError as refusal:
                refusals.append(refusal)
            else:
                known = found.get(entry.id, entry)
                found[entry.id] = min(entry, known, key=_signatures)
        return Membership(self.mesh, dict(sorted(found.items()))), refusals


def _signatures(entry: MembershipEntry) -> tuple[str, str]:
    """Order entries of the same content: an RSA key signs the same in many ways."""
    return entry.signature, entry.countersignature


class _EntryCheck:
    """Whether an entry is true, by itself and by those that it builds on."""

    def __init__(
        self,
        mesh: str,
        known: Mapping[str, MembershipEntry],
        now: float | None,
        heads: Mapping[str, SeenHead],
    ) -> None:
        self._mesh, self._known, self._now, self._heads = mesh, known, now, heads

    def check(self, entry: MembershipEntry) -> None:
        """Refuse what isn't.

        Raises
        ------
        EntryRefusedError
            Says why.
        """
        before = self._known.get(entry.id)
        if before is not None and _signatures(before) == _signatures(entry):
            return
        if entry.mesh_id != self._mesh:
            text = f"it is of the mesh {entry.mesh_id[:16]}…, not of {self._mesh[:16]}…"
            raise EntryRefusedError(entry, "foreign", text)
        author_key = self._author_key(entry)
        self._check_key(entry)
        self._check_signatures(entry, author_key, known=before is not None)
        if before is None:
            self._check_room(entry)
            self._check_time(entry)

    def _author_key(self, entry: MembershipEntry) -> str:
        """Give the author's key; the author's entries follow one another."""
        if entry.kind == "found":
            return entry.key
        author, previous = self._known.get(entry.author), self._known.get(entry.previous)
        if author is None or author.kind == "leave" or previous is None:
            text = "nobody known here stands for it; it is taken once that one is known"
            raise EntryRefusedError(entry, "unknown author", text)
        if previous.author != entry.author and previous.id != entry.author:
            text = f"it goes on from an entry that isn't {author.name!r}'s"
            raise EntryRefusedError(entry, "forged", text)
        if previous.kind == "leave":
            text = f"{author.name!r} had left, and can sign nothing after that"
            raise EntryRefusedError(entry, "after leaving", text)
        if entry.kind == "leave" and (entry.name, entry.key) != (author.name, author.key):
            text = f"{author.name!r} signed it: everybody leaves for itself alone"
            raise EntryRefusedError(entry, "forged", text)
        return author.key

    def _check_key(self, entry: MembershipEntry) -> None:
        founder = self._known.get(self._mesh, entry)
        try:
            public_key(entry.key, rsa_accepted=founder.keys == KINDS_OF_KEYS[True])
        except CertificateError as error:
            raise EntryRefusedError(entry, "wrong key", str(error)) from error

    def _check_signatures(self, entry: MembershipEntry, key: str, *, known: bool) -> None:
        fault: EntryFault = "re-signed" if known else "forged"
        if not signature_fits(entry.key, entry.request, entry.signature):
            raise EntryRefusedError(entry, fault, f"{entry.name!r}'s own key didn't sign it so")
        if entry.kind == "join" and not signature_fits(
            key, entry.statement, entry.countersignature
        ):
            name = self._known[entry.author].name
            text = f"it claims that {name!r} countersigned it, whose key didn't"
            raise EntryRefusedError(entry, fault, text)

    def _check_time(self, entry: MembershipEntry) -> None:
        if self._now is not None and entry.at > self._now + CLOCK_ERROR_S:
            text = f"it is dated {entry.at - self._now:.0f} s from now"
            raise EntryRefusedError(entry, "ahead of time", text)
        if entry.kind == "found":
            return
        previous = self._known[entry.previous]
        if entry.at < previous.at:
            text = f"it is dated {previous.at - entry.at} s before what its author signed before it"
            raise EntryRefusedError(entry, "back-dated", text)
        seen = self._heads.get(entry.author)
        if seen is not None and seen.head == entry.previous and entry.at < seen.at:
            text = (
                f"it is dated {seen.at - entry.at} s before its author signed that it had made no "
                "such entry yet"
            )
            raise EntryRefusedError(entry, "back-dated", text)

    def _check_room(self, entry: MembershipEntry) -> None:
        if len(self._known) < MOST_ENTRIES:
            return
        if entry.kind == "leave" and not any(
            (one.kind, one.author) == ("leave", entry.author) for one in self._known.values()
        ):
            return  # whoever filled the mesh keeps nobody in it
        raise EntryRefusedError(entry, "too many", f"a mesh has at most {MOST_ENTRIES} entries")
