"""Invitations: used once, however many try; ended by time, by hand or by the next of the name."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from glean.privacy.members import Member
from glean.privacy.registration import Registration
from glean.service.membership import invitations as module
from glean.service.membership.invitations import (
    EndedInvitationError,
    Invitations,
    InvitationState,
    UnknownInvitationError,
    invitation_state,
)
from glean.service.membership.inviting import invite, redeem
from glean.service.membership.members import Members, MemberThereError
from glean.service.store.database import Database
from glean.service.store.tables import InvitationRow
from tests.service.federations import keys_of, make_federation


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty one, on the disk."""
    found = Database(f"sqlite:///{tmp_path / 'a.db'}")
    found.upgrade()
    yield found
    found.close()


@pytest.fixture
def invitations(database: Database) -> Invitations:
    """No invitations yet."""
    return Invitations(database)


def kept(invitations: Invitations, bakery: str = "Old Market", digest: str = "aa") -> str:
    row = invitations.keep(bakery, digest, days=7, replaces_key=False, created_by="Ada")
    return row.id


def state(invitations: Invitations, invitation_id: str) -> InvitationState:
    row = invitations.find(invitation_id)
    assert row is not None
    return invitation_state(row)


def nothing(_: InvitationRow) -> None:
    """Take somebody in."""


def refusal(invitations: Invitations, digest: str = "aa") -> InvitationState:
    with pytest.raises(EndedInvitationError) as caught:
        invitations.redeem(digest, nothing)
    return caught.value.state


def test_an_invitation_is_used_once(invitations: Invitations) -> None:
    """And only by its own secret."""
    made = kept(invitations)
    with pytest.raises(UnknownInvitationError):
        invitations.redeem("bb", nothing)
    taken: list[str] = []
    invitations.redeem("aa", lambda row: taken.append(row.bakery))
    assert taken == ["Old Market"]
    assert state(invitations, made) is refusal(invitations) is InvitationState.USED
    assert not invitations.withdraw(made)


def test_what_goes_wrong_in_between_leaves_it_open(invitations: Invitations) -> None:
    """Who couldn't be taken in may try again."""
    made = kept(invitations)

    def fail(_: InvitationRow) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        invitations.redeem("aa", fail)
    assert state(invitations, made) is InvitationState.OPEN
    invitations.redeem("aa", nothing)


def test_one_that_was_withdrawn_is_good_for_nothing(invitations: Invitations) -> None:
    """By its id or by the bakery's name; a second time changes nothing."""
    made = kept(invitations)
    assert invitations.withdraw(made)
    assert not invitations.withdraw(made)
    assert not invitations.withdraw_of("Old Market")
    assert state(invitations, made) is refusal(invitations) is InvitationState.WITHDRAWN
    again = kept(invitations, digest="cc")
    assert invitations.withdraw_of("Old Market")
    assert state(invitations, again) is InvitationState.WITHDRAWN
    assert invitations.open() == []


def test_the_next_for_a_bakery_withdraws_the_one_before(invitations: Invitations) -> None:
    """A link that went astray isn't good beside the one that takes its place."""
    first, other = kept(invitations), kept(invitations, "Harbour", "bb")
    second = kept(invitations, digest="cc")
    assert state(invitations, first) is InvitationState.WITHDRAWN
    assert [row.id for row in invitations.open()] == [other, second]
    assert len(invitations.all()) == 3


def test_an_invitation_expires(invitations: Invitations) -> None:
    """At the second that it says."""
    made = kept(invitations)
    row = invitations.find(made)
    assert row is not None
    with mock.patch.object(module, "utc_now", return_value=row.expires_at):
        assert state(invitations, made) is refusal(invitations) is InvitationState.EXPIRED
        assert not invitations.withdraw(made)


def test_of_threads_that_try_at_once_one_is_let_in(invitations: Invitations) -> None:
    """Whichever comes first."""
    kept(invitations)
    outcomes: list[str] = []
    barrier = threading.Barrier(8)

    def redeem() -> None:
        barrier.wait()
        try:
            invitations.redeem("aa", nothing)
            outcomes.append("in")
        except EndedInvitationError as error:
            outcomes.append(error.state)

    threads = [threading.Thread(target=redeem) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(outcomes) == {"in": 1, "used": 7}


REDEEMS = """
import sys
from glean.service.membership.invitations import EndedInvitationError, Invitations
from glean.service.store.database import Database
invitations = Invitations(Database(sys.argv[1]))
done = 0
for number in range(20):
    try:
        invitations.redeem(f"hash {number}", lambda row: None)
        done += 1
    except EndedInvitationError:
        pass
print(done)
"""


def test_of_processes_that_try_at_once_one_is_let_in(
    database: Database, invitations: Invitations
) -> None:
    """Twenty invitations, three processes: each is used once."""
    for number in range(20):
        kept(invitations, f"Bakery {number}", f"hash {number}")
    words = [sys.executable, "-c", REDEEMS, database.url]
    started = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    counts = [int(process.communicate(timeout=60)[0]) for process in started]
    assert sum(counts) == 20
    assert all(invitation_state(row) is InvitationState.USED for row in invitations.all())


@pytest.mark.parametrize("replaces_key", [False, True])
def test_a_kill_between_log_and_mark_spoils_no_invitation(
    tmp_path: Path, invitations: Invitations, replaces_key: bool
) -> None:
    """The same keys are welcome again, once; others aren't."""
    members = Members(make_federation(tmp_path))
    if replaces_key:
        members.add(keys_of("Hafen").member)
    made = invite(members, invitations, "Hafen", replaces_key=replaces_key).invitation
    member, other = keys_of("Hafen").member, keys_of("Hafen").member
    change = members.replace if replaces_key else members.add
    change(member)
    if not replaces_key:
        with pytest.raises(MemberThereError):
            redeem(members, invitations, _shown(made.secret, other))
    shown = _shown(made.secret, member)
    assert redeem(Members(members.folder), invitations, shown).bakery == "Hafen"
    assert len(members.log().entries) == 1 + replaces_key
    with pytest.raises(EndedInvitationError):
        redeem(members, invitations, shown)


def _shown(secret: bytes, member: Member) -> Registration:
    return Registration(secret, member.signing_key, member.node_key)
