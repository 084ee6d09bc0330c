"""The members of a bakery's federation as its owner sees them, and whom the owner has confirmed.

Who invites can invent members. So only those count whom the owner has confirmed, by name and key;
a key that was replaced counts again once it is confirmed anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from glean.errors import SettingsError
from glean.operations.joining.joined_home import JoinedHome
from glean.privacy.key_log import KeyLog, read_key_log
from glean.privacy.members import Member, read_members, write_members
from glean.privacy.model_key import ModelKey
from glean.privacy.signing import fingerprint
from glean.regular_files import read_regular
from glean.runs.folder import write_whole

MemberState = Literal["own", "confirmed", "new", "key_changed", "shut_out"]


@dataclass(frozen=True)
class KnownMember:
    """A member as the owner sees it.

    Parameters
    ----------
    name : str
        Name in the federation.
    fingerprint : str
        Of its signing key: what owners compare, 32 digits in groups of four.
    state : {"own", "confirmed", "new", "key_changed", "shut_out"}
        "key_changed": confirmed with a key that was replaced since.
    """

    name: str
    fingerprint: str
    state: MemberState


def known_members(home: Path) -> tuple[KnownMember, ...]:
    """List the members that the server has shown, in text order.

    Raises
    ------
    GleanError
        A file of the home can't be read, or was changed.
    """
    found = JoinedHome(home)
    own, log, trusted = found.facts().bakery, _log(found), _trusted(found)
    listed = [(member, False) for member in log.members] + [(m, True) for m in log.shut_out]
    known = (
        KnownMember(
            member.bakery,
            fingerprint(member.signing_key),
            _state(member, own=own, shut_out=out, trusted=trusted),
        )
        for member, out in listed
    )
    return tuple(sorted(known, key=lambda member: member.name))


def confirm_members(home: Path, compared: Mapping[str, str]) -> None:
    """Confirm members with the keys that were compared; those who are shut out can't be.

    Parameters
    ----------
    home : Path
        The bakery's.
    compared : mapping of str to str
        Names and the fingerprints that the owner was shown: a key that came meanwhile isn't
        confirmed with them.

    Raises
    ------
    SettingsError
        There is no such member, or it has another key by now.
    GleanError
        As of `known_members`.
    """
    found = JoinedHome(home)
    members = {member.bakery: member for member in _log(found).members}
    unknown = sorted(compared.keys() - members.keys())
    if unknown:
        listed = ", ".join(sorted(members)) or "nobody"
        raise SettingsError(f"members: found {', '.join(unknown)}; wanted names of {listed}")
    for name, shown in compared.items():
        now = fingerprint(members[name].signing_key)
        if now != shown:
            raise SettingsError(
                f"members: {name} has another key by now, {now}; wanted {shown}, as it was shown: "
                "compare it anew"
            )
    trusted = _trusted(found) | {name: members[name] for name in compared}
    write_whole(found.trusted, write_members(trusted.values()))


def distrust_members(home: Path, names: Iterable[str]) -> None:
    """Take back the confirmation of members.

    Raises
    ------
    GleanError
        As of `known_members`.
    """
    found, gone = JoinedHome(home), set(names)
    trusted = {name: member for name, member in _trusted(found).items() if name not in gone}
    write_whole(found.trusted, write_members(trusted.values()))


def _state(member: Member, *, own: str, shut_out: bool, trusted: dict[str, Member]) -> MemberState:
    if member.bakery == own:
        return "own"
    if shut_out:
        return "shut_out"
    confirmed = trusted.get(member.bakery)
    if confirmed is None:
        return "new"
    return "confirmed" if confirmed.signing_key == member.signing_key else "key_changed"


def _log(home: JoinedHome) -> KeyLog:
    key = ModelKey.read(home.model_key)
    try:
        return read_key_log(read_regular(home.key_log), str(home.key_log), key=key)
    except OSError as error:
        raise SettingsError(f"{home.key_log} can't be read: {error.strerror or error}") from error


def _trusted(home: JoinedHome) -> dict[str, Member]:
    try:
        listed = read_members(read_regular(home.trusted), str(home.trusted))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"{home.trusted} can't be read: {error.strerror or error}") from error
    return {member.bakery: member for member in listed}
