"""A bakery joins by an invitation: once, in time, under its name, and with what was asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from glean.errors import GleanError
from glean.mesh.invitation_list import InvitationList, InvitationRefusedError
from glean.mesh.joining import Admission, ask_to_join, read_welcome
from glean.mesh.membership import Membership
from glean.mesh.membership_entry import MembershipError, leave_entry
from glean.mesh.membership_files import write_entries
from glean.mesh.membership_store import MembershipStore
from glean.mesh.mesh_home import MeshHome
from glean.mesh.mesh_invitation import MeshInvitation, new_mesh_invitation, read_mesh_invitation
from glean.privacy.peer_identity import PeerIdentity
from tests.mesh.made_meshes import BEGAN, NAMES, identity, mesh_of

A, B, C, D, *_ = NAMES
NOW = BEGAN + 1_000


class Inviter:
    """A member that invites, with a clock that stands still."""

    def __init__(self, folder: Path, known: Membership) -> None:
        self.now = float(NOW)
        self.home = MeshHome(folder / "home")
        self.home.path.mkdir()
        write_entries(self.home, known)
        self.known = known
        self.start()

    def start(self) -> None:
        """As after a kill."""
        member = self.known.member(A)
        assert member is not None
        self.store = MembershipStore(
            self.home, self.known.mesh, member.entry, identity(A), clock=lambda: self.now
        )
        self.invitations = InvitationList(self.home.invitations)
        self.admission = Admission(self.store, self.invitations, clock=lambda: self.now)

    def invite(self, name: str, *, for_s: int = 3_600) -> MeshInvitation:
        made = new_mesh_invitation(
            "127.0.0.1:7700", self.known.mesh, identity(A).public, name,
            expires_at=int(self.now) + for_s,
        )  # fmt: skip
        self.invitations.add(made, now=self.now)
        return made

    def show(self, invitation: MeshInvitation, keys: PeerIdentity) -> bytes:
        request = ask_to_join(invitation, keys)
        return self.admission.answer(str(keys.public), request)

    def refusal(self, invitation: MeshInvitation, keys: PeerIdentity) -> str:
        with pytest.raises(InvitationRefusedError) as error:
            read_welcome(invitation, keys, self.show(invitation, keys))
        return str(error.value)


@pytest.fixture
def inviter(tmp_path: Path) -> Inviter:
    """A member of a mesh of two."""
    return Inviter(tmp_path, mesh_of(A, B))


def test_a_link_says_all_that_the_invitation_holds(inviter: Inviter) -> None:
    """Also where a mail has broken it, and with names in any script."""
    for name in (C, "Bäckerei Süd", "パン屋", "x" * 80):
        made = inviter.invite(name)
        assert made.link.startswith("glean-mesh://127.0.0.1:7700/join#1.")
        assert read_mesh_invitation(made.link) == made
        assert read_mesh_invitation(f"<{made.link[:50]}\n  {made.link[50:]}> ") == made
        assert made.secret.hex() not in repr(made)


def test_a_link_that_isn_t_whole_is_refused(inviter: Inviter) -> None:
    """However much of it is there."""
    link = inviter.invite("Mill").link
    for cut in (*range(0, 20, 5), *range(20, len(link) - 6, 7)):
        with pytest.raises(MembershipError, match="invitation"):
            read_mesh_invitation(link[:cut])
    for other in (link.replace("#1.", "#2."), link.replace("glean-mesh", "https"), f"{link}!"):
        with pytest.raises(MembershipError, match="wanted"):
            read_mesh_invitation(other)


def test_who_shows_its_invitation_is_let_in(inviter: Inviter) -> None:
    """With its key and name, countersigned, and told all that is known."""
    made, keys = inviter.invite(C), identity(C)
    welcome = read_welcome(made, keys, inviter.show(made, keys))
    member = welcome.membership.member(C)
    assert member is not None
    assert (member.key, member.invited_by, member.joined_at) == (str(keys.public), A, NOW)
    assert inviter.store.membership == welcome.membership
    assert made.secret.hex() not in inviter.home.invitations.read_text("utf-8")
    assert inviter.home.invitations.stat().st_mode & 0o777 == 0o600


def test_a_second_bakery_isn_t_let_in_by_it(inviter: Inviter) -> None:
    """The first gets the same answer again, also after a kill: its own may have been lost."""
    made = inviter.invite(C)
    first = inviter.show(made, identity(C))
    assert "used before" in inviter.refusal(made, identity(D))
    inviter.start()
    assert inviter.show(made, identity(C)) == first
    assert "used before" in inviter.refusal(made, identity(D))


def test_a_kill_between_the_invitation_and_the_members_loses_nothing(inviter: Inviter) -> None:
    """And no second entry is signed in its place."""
    made, other = inviter.invite(C), inviter.invite(D)
    before = inviter.home.membership.read_bytes()
    welcome = read_welcome(made, identity(C), inviter.show(made, identity(C)))
    inviter.home.membership.write_bytes(before)
    inviter.start()
    assert inviter.store.membership == welcome.membership
    after = read_welcome(other, identity(D), inviter.show(other, identity(D)))
    assert after.membership.view.refused == ()


def test_who_left_in_this_very_second_comes_back(inviter: Inviter) -> None:
    """The entry that lets it in again is later than that by which it left, whatever the clock."""
    for left_at in (NOW, NOW, NOW, NOW + 200, NOW, NOW):
        made, keys = inviter.invite(C), identity(C)
        joined = read_welcome(made, keys, inviter.show(made, keys)).entry
        leave = leave_entry(keys, joined, joined.id, at=max(left_at, joined.at))
        assert inviter.store.offer([leave]) == []
        assert inviter.store.membership.member(C) is None
    assert inviter.store.membership.view.refused == ()


def late(inviter: Inviter, made: MeshInvitation) -> MeshInvitation:
    inviter.now = made.expires_at
    return made


def withdrawn(inviter: Inviter, made: MeshInvitation) -> MeshInvitation:
    assert inviter.invitations.withdraw(made.name, now=inviter.now)
    return made


def replaced(inviter: Inviter, made: MeshInvitation) -> MeshInvitation:
    inviter.invite(made.name)
    return made


def renamed(_: Inviter, made: MeshInvitation) -> MeshInvitation:
    return replace(made, name=D)


def guessed(_: Inviter, made: MeshInvitation) -> MeshInvitation:
    return replace(made, secret=bytes(16))


def of_another_mesh(_: Inviter, made: MeshInvitation) -> MeshInvitation:
    return replace(made, mesh="ab" * 32)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (late, "expired"),
        (withdrawn, "withdrawn"),
        (replaced, "withdrawn"),
        (renamed, "isn't known"),
        (guessed, "isn't known"),
        (of_another_mesh, "for this mesh"),
    ],
)
def test_what_isn_t_good_lets_nobody_in(
    inviter: Inviter, wrong: Callable[[Inviter, MeshInvitation], MeshInvitation], words: str
) -> None:
    """Expired, taken back, replaced, for another name, made up, of another mesh."""
    shown = wrong(inviter, inviter.invite(C))
    before = inviter.store.membership
    assert words in inviter.refusal(shown, identity(C))
    assert inviter.store.membership == before


def test_one_for_a_name_or_key_that_is_taken_stays_good(inviter: Inviter) -> None:
    """Nothing is spent on what wouldn't count."""
    made = inviter.invite(C)
    assert "another member" in inviter.refusal(made, identity(B))
    twice = inviter.invite(B)
    assert "belongs to the mesh already" in inviter.refusal(twice, identity(D))
    assert [one.entry for one in inviter.invitations.all()] == [None, None]
    assert read_welcome(made, identity(C), inviter.show(made, identity(C))).entry.name == C


def test_a_request_by_another_key_than_was_shown_is_refused(inviter: Inviter) -> None:
    """Who overheard a request can't show it as its own."""
    made = inviter.invite(C)
    answer = inviter.admission.answer(str(identity(D).public), ask_to_join(made, identity(C)))
    assert b"refused" in answer
    assert inviter.invitations.all()[0].entry is None


@pytest.mark.parametrize(
    "request_",
    [b"", b"[]", b"{}", b'{"secret": "xy", "name": "a", "signature": "b"}', b"x" * 20_000],
)
def test_what_is_no_request_is_answered_as_such(inviter: Inviter, request_: bytes) -> None:
    """Whatever it is."""
    assert "refused" in json.loads(inviter.admission.answer(str(identity(C).public), request_))


def test_a_welcome_that_isn_t_true_is_refused(inviter: Inviter) -> None:
    """An inviter that lets in another key, leaves out who founded it, or forges others."""
    made, keys = inviter.invite(C), identity(C)
    answer = json.loads(inviter.show(made, keys))
    entries = answer["entries"]
    own = next(entry for entry in entries if entry["name"] == C)
    other = inviter.invite(D)
    theirs = json.loads(inviter.show(other, identity(D)))
    for lie in (
        {**answer, "entries": [entry for entry in entries if entry["kind"] != "found"]},
        {**answer, "entries": [entry for entry in entries if entry is not own]},
        {**answer, "entries": [{**entry, "at": entry["at"] + 1} for entry in entries]},
        {**answer, "entry": theirs["entry"], "entries": theirs["entries"]},
        {**answer, "entries": 17},
        {},
    ):
        with pytest.raises(GleanError):
            read_welcome(made, keys, json.dumps(lie).encode())
    assert read_welcome(made, keys, json.dumps(answer).encode()).entry.name == C
