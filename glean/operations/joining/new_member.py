"""A bakery joins: its own keys are made, registered by its invitation, and all it needs is kept.

A kill or a broken network at any moment loses nothing: the keys lie in a folder named for the
invitation until the server has said under which name they are known.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from glean.errors import CertificateError, SettingsError
from glean.federation.node.key_log_follower import KeyLogFollower
from glean.federation.node.member_client import (
    MemberClient,
    RegistrationRefusedError,
    Welcome,
)
from glean.federation.node.server_errors import NotAdmittedError
from glean.federation.node.server_facts import fetch_facts
from glean.operations.joining.joined_home import (
    JoinedHome,
    JoinFacts,
    default_home,
    homes_folder,
    joined_homes,
)
from glean.privacy.invitation import Invitation
from glean.privacy.key_files import CLOSED_FOLDER, write_new
from glean.privacy.key_log import KeyLogEntry
from glean.privacy.members import BakeryKeys, Member, new_keys, read_members, write_members
from glean.privacy.model_key import ModelKey
from glean.privacy.registration import write_registration
from glean.privacy.request_signature import RequestSigner
from glean.regular_files import read_regular
from glean.runs.folder import write_whole
from glean.setting_fields import ConfigValue

PUBLIC_FILE = "member.json"
MAYBE_OURS = frozenset({403, 409, 410})
"""Statuses of a server that may have let in these very keys before, and the answer was lost.

403: the keys are a member's; 409: the invitation was used; 410: it can't be used any more. Which
one it is depends on the moment at which the server was cut off.
"""

_KEY_FILES = ("node-key", "signing-key", PUBLIC_FILE)
_NAMELESS = "a bakery that joins"


@dataclass(frozen=True)
class Joined:
    """A bakery that has joined.

    Parameters
    ----------
    home : JoinedHome
        Where it keeps what it needs.
    facts : JoinFacts
        Its name, its federation, where the server is.
    release : str
        Version of Glean that the server's runs have; "" where it wasn't asked.
    """

    home: JoinedHome
    facts: JoinFacts
    release: str = ""


def joined_by(invitation: Invitation, home: Path | None) -> Joined | None:
    """Find the home from which this invitation was redeemed; None where there is none.

    Raises
    ------
    SettingsError
        The home that is named is another bakery's.
    """
    homes = joined_homes() if home is None else (_home_at(home),)
    for found in homes:
        if found.joined and found.facts().invitation == invitation.secret_hash:
            facts = replace(found.facts(), left=False)
            found.note(facts)
            return Joined(found, facts)
    return None


def join(
    invitation: Invitation,
    *,
    sales: Path,
    policy: Mapping[str, ConfigValue],
    confirms: bool,
    home: Path | None = None,
) -> Joined:
    """Join a federation.

    Parameters
    ----------
    invitation : Invitation
        From the operator.
    sales : Path
        The bakery's table.
    policy : mapping
        What its owner wants of runs, by keys of the node config.
    confirms : bool
        Whether only members count whom the owner confirms; else all whom the operator lets in.
    home : Path, optional
        Where it keeps what it needs; by default a folder of its name in `~/glean`.

    Raises
    ------
    GleanError
        Says what is wrong: the server can't be reached or is another one, the invitation was used,
        or has expired, or the home can't be written.
    """
    waiting = _waiting_room(invitation)
    try:
        keys = _keys_in(waiting)
        authority = fetch_facts(invitation.address, invitation.authority).authority
        if home is not None:
            _check_server(_home_at(home), authority, invitation.address)
        welcome, entries = _register(invitation, authority, keys)
        target = default_home(welcome.bakery) if home is None else _home_at(home)
        # All that can be refused is, before a file of the home is touched: the keys go on waiting.
        _check_server(target, authority, invitation.address)
        _check_bakery(target, welcome.bakery, invitation.address)
        key = _model_key(target, welcome)
        log = _checked_log(target, key, entries, Member(welcome.bakery, *keys.member.keys))
        _settle(target, waiting, welcome, authority=authority, invitation=invitation)
        write_whole(target.model_key, f"{key.line}\n".encode())
        log.take(entries[len(log.known().entries) :])
        trust = {"trusted-members": str(target.trusted)} if confirms else {}
        if confirms and not target.trusted.exists():
            write_whole(target.trusted, write_members(()))
        target.write_config(sales, welcome.bakery, {**policy, **trust})
    except OSError as error:
        raise SettingsError(
            f"{error.filename or homes_folder()} can't be used: {error.strerror or error}"
        ) from error
    facts = JoinFacts(
        welcome.bakery, welcome.federation, invitation.address, invitation.secret_hash
    )
    target.note(facts)
    shutil.rmtree(waiting, ignore_errors=True)
    return Joined(target, facts, welcome.release)


def _home_at(path: Path) -> JoinedHome:
    return JoinedHome(path.expanduser().absolute())


def _waiting_room(invitation: Invitation) -> Path:
    """Give the folder of keys that nobody has a name for yet."""
    return homes_folder() / f".joining-{invitation.secret_hash[:16]}"


def _keys_in(folder: Path) -> BakeryKeys:
    """Make the bakery's keys, or take those that a call that was cut off has made."""
    if (folder / PUBLIC_FILE).exists():
        (member,) = read_members(read_regular(folder / PUBLIC_FILE))
        return BakeryKeys(
            member, read_regular(folder / "signing-key"), read_regular(folder / "node-key")
        )
    if folder.exists():  # cut off before the keys were whole: nobody knows them
        shutil.rmtree(folder)
    folder.mkdir(mode=CLOSED_FOLDER, parents=True)
    keys = new_keys(_NAMELESS)
    write_new(folder / "node-key", keys.node_key)
    write_new(folder / "signing-key", keys.signing_key)
    write_new(folder / PUBLIC_FILE, write_members([keys.member]))
    return keys


def _register(
    invitation: Invitation, authority: bytes, keys: BakeryKeys
) -> tuple[Welcome, tuple[KeyLogEntry, ...]]:
    signer = RequestSigner(keys.signing_key)
    with MemberClient(invitation.address, authority, signer) as client:
        try:
            return client.register(write_registration(invitation.secret, keys))
        except RegistrationRefusedError as refusal:
            if refusal.status not in MAYBE_OURS:
                raise
            try:  # by these very keys, where the answer was lost on the way
                return client.membership(), client.key_log(1)
            except NotAdmittedError:
                raise refusal from None


def _check_server(target: JoinedHome, authority: bytes, address: str) -> None:
    """Refuse a home that is of another federation."""
    if target.joined and target.authority.exists() and target.authority.read_bytes() != authority:
        raise _taken(target, address)


def _check_bakery(target: JoinedHome, bakery: str, address: str) -> None:
    """Refuse a home that is another bakery's; its own takes a new key for a lost one."""
    if target.joined and target.facts().bakery != bakery:
        raise _taken(target, f"{bakery!r} at {address}, with the same link")


def _taken(target: JoinedHome, wanted: str) -> SettingsError:
    facts = target.facts()
    return SettingsError(
        f"{target.path} is the home of {facts.bakery!r} in the federation {facts.federation!r} at "
        f"{facts.address}; wanted --home with a folder of its own for {wanted}"
    )


def _model_key(target: JoinedHome, welcome: Welcome) -> ModelKey:
    """Read the server's key for models; a home that knows another one takes none."""
    if not welcome.model_key:
        return ModelKey.read(target.model_key)
    key = ModelKey.of(welcome.model_key.encode(), source="the server's model-key.pub")
    known = ModelKey.read(target.model_key) if target.model_key.exists() else key
    if known != key:
        names = f"{target.model_key.name} and {target.key_log.name}"
        raise CertificateError(
            f"the server has another key for models, {key.fingerprint}, than {target.path} knows, "
            f"{known.fingerprint}. Ask the operator, by a way that you trust; if the new one is "
            f"right, move {names} out of that folder, and type the same again"
        )
    return key


def _checked_log(
    target: JoinedHome, key: ModelKey, entries: tuple[KeyLogEntry, ...], own: Member
) -> KeyLogFollower:
    """Check the log of keys; in a home that has one, what came must go on from that."""
    follower = KeyLogFollower(target.key_log, target.members, key, lambda _: ())
    known = follower.known()
    count = len(known.entries)
    log = known.extended(entries[count:], key)
    if entries[:count] != log.entries[:count]:
        raise CertificateError(
            f"the server shows another log of members' keys than {target.path} knows; ask the "
            "other bakeries before you go on"
        )
    listed = log.member(own.bakery)
    if listed is None or listed.keys != own.keys:
        raise CertificateError(
            "the server's log of members' keys has another key for this bakery than it registered"
        )
    return follower


def _settle(
    target: JoinedHome,
    waiting: Path,
    welcome: Welcome,
    *,
    authority: bytes,
    invitation: Invitation,
) -> None:
    """Put keys and what vouches for the server into the home; an earlier key is moved aside."""
    target.path.mkdir(mode=CLOSED_FOLDER, parents=True, exist_ok=True)
    (member,) = read_members(read_regular(waiting / PUBLIC_FILE))
    named = write_members([Member(welcome.bakery, *member.keys)])
    if _has_other_keys(target, waiting):
        aside = target.path / f"keys-before-{invitation.secret_hash[:8]}"
        aside.mkdir(mode=CLOSED_FOLDER, exist_ok=True)
        for name in (name for name in _KEY_FILES if (target.path / name).exists()):
            (target.path / name).replace(aside / name)
    for name in ("node-key", "signing-key"):
        if not (target.path / name).exists():
            write_new(target.path / name, read_regular(waiting / name))
    write_whole(target.path / PUBLIC_FILE, named)
    write_whole(target.authority, authority)


def _has_other_keys(target: JoinedHome, waiting: Path) -> bool:
    if not target.signing_key.exists():
        return False
    return read_regular(target.signing_key) != read_regular(waiting / "signing-key")
