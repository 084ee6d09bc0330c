"""Files of a node config that say who the others are: members, and those its owner confirmed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from glean.errors import SettingsError
from glean.node_settings import NodeSettings
from glean.privacy.cohort import Cohort
from glean.privacy.members import Member, read_members
from glean.regular_files import read_regular

_PATH_BEGINS = ("/", "./", "../", "~")


@dataclass(frozen=True)
class TrustedMembers:
    """Whom a bakery's owner has confirmed.

    Parameters
    ----------
    names : frozenset of str or None
        Confirmed by name; None: everybody on the list of members.
    signing_keys : dict of str to str or None
        Confirmed by name and signing key; None where names were given.
    """

    names: frozenset[str] | None
    signing_keys: dict[str, str] | None = None

    @classmethod
    def of(cls, value: str) -> TrustedMembers:
        """Read the node config's `trusted-members`.

        Raises
        ------
        SettingsError, CertificateError
            It is a path at which no list of members can be read.
        """
        if not value:
            return cls(None)
        if value.startswith(_PATH_BEGINS):
            listed = read_members(_content("trusted-members", value), value)
            keys = {member.bakery: member.signing_key for member in listed}
            return cls(frozenset(keys), keys)
        return cls(frozenset(name.strip() for name in value.split(",") if name.strip()))

    def confirms(self, member: Member) -> bool:
        """Whether a member counts: by its name, and by its key where keys were confirmed."""
        if self.names is None:
            return True
        if self.signing_keys is None:
            return member.bakery in self.names
        return self.signing_keys.get(member.bakery) == member.signing_key


def all_members(node: NodeSettings) -> tuple[Member, ...]:
    """Read the list of members that a bakery was given.

    Raises
    ------
    SettingsError, CertificateError
        It can't be read.
    """
    return read_members(node_file(node, "members"))


def members_of(node: NodeSettings, cohort: Cohort) -> tuple[Member, ...]:
    """Name the members that take part, as the bakery's own list has them, in text order."""
    found = [member for member in all_members(node) if member.bakery in cohort.places]
    return tuple(sorted(found, key=lambda member: member.bakery))


def node_file(node: NodeSettings, key: str) -> bytes:
    """Read a file that the node config names.

    Raises
    ------
    SettingsError
        It names none, or it can't be read.
    """
    path = {"members": node.members, "signing-key": node.signing_key}[key]
    if not path:
        raise SettingsError(
            f"node config: found no {key}; secure sums between machines want one, as `glean "
            "certificates` made it. Or let the operator run with secure-sums=false"
        )
    return _content(key, path)


def _content(key: str, path: str) -> bytes:
    try:
        return read_regular(Path(path).expanduser())
    except OSError as error:
        raise SettingsError(
            f"node config {key}: {path} can't be read ({error.strerror})"
        ) from error
