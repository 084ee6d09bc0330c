"""Inviting a bakery, and taking in whoever shows an invitation."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Any

from glean import __version__
from glean.errors import CertificateError
from glean.privacy.invitation import Invitation, new_invitation, secret_hash
from glean.privacy.key_log import JOINED, REPLACED
from glean.privacy.members import Member
from glean.privacy.registration import Registration
from glean.service.membership.facts import read_facts
from glean.service.membership.invitations import DAYS, Invitations
from glean.service.membership.members import Members, MemberThereError, NoMemberError
from glean.service.membership.names import check_name
from glean.service.store.tables import InvitationRow


@dataclass(frozen=True, repr=False)
class IssuedInvitation:
    """An invitation that was just made; its link is told this once.

    Parameters
    ----------
    row : InvitationRow
        What is kept of it.
    invitation : Invitation
        With its secret.
    """

    row: InvitationRow
    invitation: Invitation

    @property
    def link(self) -> str:
        """What the bakery gets."""
        return self.invitation.link

    @property
    def command(self) -> str:
        """What is typed there."""
        return join_command(self.link)


def join_command(link: str) -> str:
    """Write the command by which a bakery joins."""
    return f"glean join '{link}' --sales my.csv"


def invite(
    members: Members,
    invitations: Invitations,
    bakery: str,
    *,
    days: int = DAYS,
    replaces_key: bool = False,
    created_by: str = "",
) -> IssuedInvitation:
    """Invite a bakery, or a member that lost its key; an open invitation of it is withdrawn.

    Parameters
    ----------
    members, invitations
        The federation's.
    bakery : str
        Its name.
    days : int
        How long it can be used.
    replaces_key : bool
        Whether a member gets a new key by it.
    created_by : str
        Name of the token; "" for the command line.

    Raises
    ------
    MemberThereError, NoMemberError
        It is a member already; or, where a key shall be replaced, it isn't one.
    CertificateError
        The name can't be used.
    """
    names = members.names()
    if replaces_key and bakery not in names:
        raise NoMemberError(f"{bakery!r} isn't a member, so it has no key to replace")
    if not replaces_key:
        if bakery in names:
            raise MemberThereError(
                f"{bakery!r} is a member already; where it lost its key, replace that (--replace)"
            )
        invited = {row.bakery for row in invitations.open()} - {bakery}
        check_name(bakery, names | invited)
    facts = read_facts(members.folder)
    made = new_invitation(facts.address, facts.authority)
    row = invitations.keep(
        bakery, made.secret_hash, days=days, replaces_key=replaces_key, created_by=created_by
    )
    return IssuedInvitation(row, made)


def redeem(members: Members, invitations: Invitations, registration: Registration) -> InvitationRow:
    """Take in whoever shows an invitation; the keys' proofs are checked already.

    Raises
    ------
    UnknownInvitationError, EndedInvitationError
        There is no such invitation, or it can't be used any more.
    KeysTakenError, CertificateError
        The keys are a member's, or the name has become one. The invitation stays as it was.
    """

    def take_in(row: InvitationRow) -> None:
        member = Member(row.bakery, registration.signing_key, registration.node_key)
        if _taken_in_already(members, row, member):
            return  # a kill came between the key log and the invitation's mark
        if row.replaces_key:
            members.replace(member)
        else:
            members.add(member)

    return invitations.redeem(secret_hash(registration.secret), take_in)


def _taken_in_already(members: Members, row: InvitationRow, member: Member) -> bool:
    """Whether the log of keys has these keys under this name since the invitation was made."""
    log = members.log()
    known = log.member(member.bakery)
    if known is None or known.keys != member.keys:
        return False
    entry = log.entries[known.logged - 1]
    asked = REPLACED if row.replaces_key else JOINED
    since = dt.datetime.fromisoformat(entry.at)
    return entry.event == asked and since >= dt.datetime.fromisoformat(row.created_at)


def welcome(members: Members, bakery: str) -> dict[str, Any]:
    """Say what a bakery that was taken in has to know, for JSON.

    Raises
    ------
    CertificateError
        The federation's own files can't be read.
    """
    try:
        model_key = members.folder.public_model_key.read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        raise CertificateError(
            f"{members.folder.public_model_key} can't be read: {error}"
        ) from error
    return {
        "bakery": bakery,
        "federation": read_facts(members.folder).name,
        "release": __version__,
        "model_key": model_key,
        "key_log": [asdict(entry) for entry in members.log().entries],
    }
