"""The list of members that clients and servers know each other by, written from the membership."""

from __future__ import annotations

import logging
from pathlib import Path

from glean.errors import CertificateError
from glean.mesh.member_keys import public_key
from glean.mesh.member_view import MeshMember
from glean.mesh.membership import Membership
from glean.privacy.members import Member, write_members
from glean.privacy.signing import is_ed25519
from glean.runs.folder import write_whole

LOG = logging.getLogger("glean")

FILE = "members.json"


class MembersFile:
    """Writes `members.json` of a peer's home each time that the members change.

    Only members who sign with Ed25519 stand in it: no other signature is taken in a run.

    Parameters
    ----------
    home : Path
        The peer's home.
    """

    def __init__(self, home: Path) -> None:
        self.path = home / FILE
        self._written = b""

    def write(self, membership: Membership) -> None:
        """Write it, where it isn't so yet.

        Raises
        ------
        OSError
            It can't be written.
        """
        content = write_members(members_in_runs(membership))
        if content != self._written:
            write_whole(self.path, content)
            self._written = content


def members_in_runs(membership: Membership) -> list[Member]:
    """List the members who can take part in a run: those who sign with Ed25519."""
    found = [(member.name, signing_key_of(member)) for member in membership.view.members.values()]
    return [Member(name, key) for name, key in found if is_ed25519(key)]


def signing_key_of(member: MeshMember) -> str:
    """Give a member's public signing key, as a line of OpenSSH; "" where it can't be read."""
    try:
        return public_key(member.key).signing_key
    except CertificateError as error:
        LOG.warning("the key of %s can't be read: %s", member.name, error)
        return ""
