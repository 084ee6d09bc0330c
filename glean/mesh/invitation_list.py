"""Invitations that a peer has made: each is good once, until it expires.

A file in the peer's home, which `glean mesh invite` and the peer that runs share. An entry that was
countersigned is on disk here before it leaves: a bakery that got no answer asks again and gets the
same one.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from glean.mesh.membership_entry import MembershipEntry, MembershipError, read_entry
from glean.mesh.mesh_home import write_json
from glean.mesh.mesh_invitation import MeshInvitation
from glean.regular_files import read_regular

KEPT_S = 90 * 86_400
"""So long an invitation that expired is remembered, to say so to whoever shows it."""


@dataclass(frozen=True)
class MadeInvitation:
    """An invitation as its maker keeps it: without its secret.

    Parameters
    ----------
    secret_hash : str
        SHA-256 of the secret.
    name : str
        Whom it is for.
    made_at, expires_at : int
        s since 1970.
    withdrawn : bool
        Whether it was taken back.
    entry : mapping or None
        The entry that came of it, once it was used.
    """

    secret_hash: str
    name: str
    made_at: int
    expires_at: int
    withdrawn: bool = False
    entry: dict[str, Any] | None = None

    def open_at(self, now: float) -> bool:
        """Whether it can be used."""
        return self.entry is None and not self.withdrawn and now < self.expires_at


class InvitationRefusedError(MembershipError):
    """Whoever showed an invitation isn't let in."""


class InvitationList:
    """The invitations of one peer.

    Parameters
    ----------
    path : Path
        The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def all(self) -> tuple[MadeInvitation, ...]:
        """List them, the oldest first.

        Raises
        ------
        MembershipError
            They can't be read.
        """
        try:
            listed = json.loads(read_regular(self._path))["invitations"]
            return tuple(MadeInvitation(**one) for one in listed)
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise MembershipError(f"{self._path} can't be read: {error!r:.200}") from error

    def add(self, invitation: MeshInvitation, *, now: float) -> None:
        """Keep one that was made; an earlier one for the same bakery is taken back."""
        with self._changing() as found:
            for at, one in enumerate(found):
                if one.name == invitation.name and one.open_at(now):
                    found[at] = replace(one, withdrawn=True)
            found.append(
                MadeInvitation(
                    invitation.secret_hash, invitation.name, int(now), invitation.expires_at
                )
            )

    def withdraw(self, name: str, *, now: float) -> bool:
        """Take back what is open for a bakery; whether something was."""
        with self._changing() as found:
            open_ones = [
                at for at, one in enumerate(found) if one.name == name and one.open_at(now)
            ]
            for at in open_ones:
                found[at] = replace(found[at], withdrawn=True)
        return bool(open_ones)

    def redeem(
        self,
        secret_hash: str,
        name: str,
        key: str,
        *,
        now: float,
        make: Callable[[], MembershipEntry],
    ) -> MembershipEntry:
        """Use an invitation: once, or again by the same key with the same answer.

        Parameters
        ----------
        secret_hash, name, key : str
            What was shown, by whom.
        now : float
            The time, s since 1970.
        make : callable
            Makes the entry.

        Raises
        ------
        InvitationRefusedError
            There is none such, or it can't be used any more.
        """
        with self._changing() as found:
            at = next((at for at, one in enumerate(found) if one.secret_hash == secret_hash), None)
            if at is None or found[at].name != name:
                raise InvitationRefusedError("this invitation isn't known here")
            one = found[at]
            if one.entry is not None:
                entry = read_entry(one.entry)
                if entry.key != key:
                    raise InvitationRefusedError("this invitation was used before: it is good once")
                return entry
            if one.withdrawn:
                raise InvitationRefusedError("this invitation was withdrawn")
            if now >= one.expires_at:
                raise InvitationRefusedError("this invitation has expired")
            entry = make()
            found[at] = replace(one, entry=entry.content())
        return entry

    def used(self) -> tuple[MembershipEntry, ...]:
        """Give the entries that came of them; after a kill some may be nowhere else."""
        return tuple(read_entry(one.entry) for one in self.all() if one.entry is not None)

    @contextmanager
    def _changing(self) -> Iterator[list[MadeInvitation]]:
        """Change the list with no other process in between; an error changes nothing."""
        lock = self._path.with_name(f".{self._path.name}.lock")
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            before = self.all()
            found = list(before)
            yield found
            if tuple(found) != before:
                latest = max(one.made_at for one in found)
                kept = [one for one in found if one.expires_at + KEPT_S > latest]
                write_json(self._path, {"invitations": [asdict(one) for one in kept]})
        finally:
            os.close(descriptor)
