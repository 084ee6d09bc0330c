"""How each bakery of a federation stands: joined, waiting, missing, left, shut out."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from glean.privacy.key_log import JOINED, REPLACED, SHUT_OUT
from glean.privacy.members import Member
from glean.privacy.signing import fingerprint
from glean.service.membership.invitations import Invitations
from glean.service.membership.members import Members
from glean.service.store.tables import InvitationRow

QUIET_MINUTES = 5
"""A node that runs is heard of every ten seconds or so; after so long it is missing."""


class MemberState(StrEnum):
    """How a bakery stands."""

    JOINED = "joined"
    WAITING = "waiting"
    MISSING = "missing"
    LEFT = "left"
    SHUT_OUT = "shut_out"


@dataclass(frozen=True)
class MemberStanding:
    """A bakery of the federation, or one that was invited.

    Parameters
    ----------
    name : str
        Its name.
    state : MemberState
        How it stands.
    fingerprint : str
        Of its signing key; "" while it has none.
    since : str
        When it was taken in, got a new key or was shut out last, or was invited; UTC.
    last_heard : datetime or None
        When it was heard of last; None where it never was.
    invitation : InvitationRow or None
        The one that it can use now, if there is any.
    """

    name: str
    state: MemberState
    fingerprint: str
    since: str
    last_heard: dt.datetime | None
    invitation: InvitationRow | None


def standings(members: Members, invitations: Invitations) -> list[MemberStanding]:
    """Say how each stands, in order of their names."""
    log = members.log()
    times: dict[str, str] = {}
    for entry in log.entries:
        if entry.event in (JOINED, REPLACED, SHUT_OUT):
            times[entry.bakery] = entry.at
    waiting = {row.bakery: row for row in invitations.open()}

    def of(member: Member, *, out: bool) -> MemberStanding:
        heard = members.last_heard(member.bakery)
        state = _state(heard, left=members.has_left(member.bakery))
        return MemberStanding(
            name=member.bakery,
            state=MemberState.SHUT_OUT if out else state,
            fingerprint=fingerprint(member.signing_key),
            since=times.get(member.bakery, ""),
            last_heard=heard,
            invitation=waiting.pop(member.bakery, None),
        )

    found = [of(member, out=False) for member in log.members]
    found += [of(member, out=True) for member in log.shut_out]
    found += [
        MemberStanding(name, MemberState.WAITING, "", row.created_at, None, row)
        for name, row in waiting.items()
    ]
    return sorted(found, key=lambda one: one.name)


def counted(found: list[MemberStanding]) -> dict[MemberState, int]:
    """Count them by how they stand; none without any."""
    counts = Counter(one.state for one in found)
    return {state: counts[state] for state in MemberState if counts[state]}


def _state(heard: dt.datetime | None, *, left: bool) -> MemberState:
    if left:
        return MemberState.LEFT
    quiet = dt.timedelta(minutes=QUIET_MINUTES)
    there = heard is not None and dt.datetime.now(dt.UTC) - heard < quiet
    return MemberState.JOINED if there else MemberState.MISSING
