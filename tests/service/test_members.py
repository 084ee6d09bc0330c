"""Members: taken in, shut out, let in, by several at once; log and list say the same."""

from __future__ import annotations

import datetime as dt
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from glean.errors import CertificateError
from glean.federation_folder import FederationFolder
from glean.privacy.certificate_folder import make_certificates
from glean.privacy.key_log import KeyLogError
from glean.privacy.members import Member, read_members
from glean.service.membership import last_heard
from glean.service.membership.members import (
    KeysTakenError,
    Members,
    MemberThereError,
    NoMemberError,
)
from tests.service.federations import keys_of, make_federation


@pytest.fixture
def folder(tmp_path: Path) -> FederationFolder:
    """A federation without members."""
    return make_federation(tmp_path)


def member_of(bakery: str) -> Member:
    return keys_of(bakery).member


def listed(folder: FederationFolder) -> list[str]:
    """Names in `members.json`."""
    return [member.bakery for member in read_members(folder.members.read_bytes())]


def test_a_member_is_found_by_its_keys(folder: FederationFolder) -> None:
    """Until it is shut out, and again once it is let in."""
    members, old_market = Members(folder), member_of("Old Market")
    members.add(old_market)
    assert members.of_signing_key(old_market.signing_key) == "Old Market"
    assert members.of_node_key(old_market.node_key) == "Old Market"
    assert not members.is_shut_out(old_market.signing_key)
    members.shut_out("Old Market")
    assert members.of_signing_key(old_market.signing_key) is None
    assert members.of_node_key(old_market.node_key) is None
    assert members.is_shut_out(old_market.signing_key)
    assert listed(folder) == []
    members.let_in("Old Market")
    assert members.of_signing_key(old_market.signing_key) == "Old Market"
    assert listed(folder) == ["Old Market"]


def test_what_can_not_be_is_refused(folder: FederationFolder) -> None:
    """And nothing is written."""
    members, old_market = Members(folder), member_of("Old Market")
    members.add(old_market)
    before = folder.key_log.read_bytes()
    with pytest.raises(MemberThereError, match="a member already"):
        members.add(member_of("Old Market"))
    with pytest.raises(CertificateError, match="'Old Market' is there already"):
        members.add(member_of("old-market"))
    with pytest.raises(KeysTakenError, match="make new ones"):
        members.add(Member("Harbour", old_market.signing_key, member_of("Harbour").node_key))
    for change in (members.shut_out, members.let_in):
        with pytest.raises(NoMemberError):
            change("Harbour")
    with pytest.raises(NoMemberError, match="isn't shut out"):
        members.let_in("Old Market")
    with pytest.raises(NoMemberError):
        members.replace(member_of("Harbour"))
    assert folder.key_log.read_bytes() == before
    members.shut_out("Old Market")
    with pytest.raises(MemberThereError, match="shut out already"):
        members.shut_out("Old Market")


def test_new_keys_let_nobody_in_who_is_out(folder: FederationFolder) -> None:
    """A key that was lost may be shut out first; the old ones are good for nobody again."""
    members, lost, new = Members(folder), member_of("Old Market"), member_of("Old Market")
    members.add(lost)
    members.shut_out("Old Market")
    members.replace(new)
    assert members.of_signing_key(new.signing_key) is None
    assert members.is_shut_out(new.signing_key)
    members.let_in("Old Market")
    assert members.of_signing_key(new.signing_key) == "Old Market"
    assert members.of_signing_key(lost.signing_key) is None
    with pytest.raises(KeysTakenError):
        members.replace(lost)


def test_another_process_s_changes_are_seen_and_told_once(folder: FederationFolder) -> None:
    """The command line changes the same files."""
    service, command, told = Members(folder), Members(folder), []
    service.on_change(lambda: told.append(service.log().head))
    old_market = member_of("Old Market")
    command.add(old_market)
    assert service.of_signing_key(old_market.signing_key) == "Old Market"
    assert told == []
    service.refresh()
    service.refresh()
    assert told == [command.log().head]
    service.add(member_of("Harbour"))
    assert told == [told[0], service.log().head]


def test_who_does_not_take_up_a_change_hinders_nobody(folder: FederationFolder) -> None:
    """The change counts, and others are told."""
    members, told = Members(folder), []

    def fail() -> None:
        raise RuntimeError

    members.on_change(fail)
    members.on_change(lambda: told.append(1))
    members.add(member_of("Old Market"))
    assert told == [1]
    assert listed(folder) == ["Old Market"]


ADDS = """
import sys
from pathlib import Path
from glean.federation_folder import FederationFolder
from glean.privacy.members import new_keys
from glean.service.membership.members import Members
members = Members(FederationFolder(Path(sys.argv[1])))
for number in range(5):
    members.add(new_keys(f"Bakery {sys.argv[2]}{number}").member)
"""


def test_processes_that_add_at_once_lose_none(folder: FederationFolder) -> None:
    """Each reads the log that the one before has written."""
    words = [[sys.executable, "-c", ADDS, str(folder.path), name] for name in "abc"]
    started = [subprocess.Popen(line) for line in words]
    assert [process.wait(60) for process in started] == [0, 0, 0]
    names = sorted(f"Bakery {name}{number}" for name in "abc" for number in range(5))
    assert [member.bakery for member in Members(folder).log().members] == names
    assert listed(folder) == names


def test_a_log_that_was_changed_is_refused(folder: FederationFolder) -> None:
    """By whoever could write to the folder, but has no key."""
    Members(folder).add(member_of("Old Market"))
    text = folder.key_log.read_text(encoding="utf-8")
    folder.key_log.write_text(text.replace("Old Market", "New Market"), encoding="utf-8")
    with pytest.raises(KeyLogError, match="isn't signed"):
        Members(folder)


def test_the_log_waits_for_its_name_on_the_disk(
    folder: FederationFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bakeries that saw an entry refuse a log that a power cut has put back."""
    waited: list[bool] = []
    sync = os.fsync

    def hear(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            waited.append("Old Market" in folder.key_log.read_text(encoding="utf-8"))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", hear)
    Members(folder).add(member_of("Old Market"))
    assert waited == [True]


def test_a_list_that_a_kill_left_behind_is_made_true(folder: FederationFolder) -> None:
    """The log is the truth."""
    Members(folder).add(member_of("Old Market"))
    folder.members.write_bytes(b'{"format": 1, "members": []}')
    Members(folder).settle()
    assert listed(folder) == ["Old Market"]


@pytest.mark.parametrize("content", [None, b""])
def test_a_lost_log_is_not_begun_anew(folder: FederationFolder, content: bytes | None) -> None:
    """Bakeries know the old one; and its members would count as nodes that sign less."""
    members = Members(folder)
    members.add(member_of("Old Market"))
    kept = folder.key_log.read_bytes()
    folder.key_log.unlink()
    if content is not None:
        folder.key_log.write_bytes(content)
    with pytest.raises(KeyLogError, match=r"is gone.*from a backup"):
        Members(folder).settle()
    with pytest.raises(KeyLogError, match="is gone"):
        members.add(member_of("Harbour"))
    assert listed(folder) == ["Old Market"]
    folder.key_log.write_bytes(kept)
    members.add(member_of("Harbour"))
    assert listed(folder) == ["Harbour", "Old Market"]


def test_members_of_a_folder_of_certificates_are_taken_in(tmp_path: Path) -> None:
    """They run Flower's own node, which signs less; once they joined by invitation they don't."""
    own = [member_of("Old Market"), member_of("Harbour")]
    make_certificates(tmp_path / "made", hosts=["localhost"], members=own)
    members = Members(FederationFolder(tmp_path / "made"))
    members.settle()
    members.settle()
    assert [entry.bakery for entry in members.log().entries] == ["Harbour", "Old Market"]
    assert members.of_node_key(own[0].node_key) == "Old Market"
    assert not members.joined_by_invitation("Old Market")
    members.replace(member_of("Old Market"))
    assert Members(members.folder).joined_by_invitation("Old Market")
    assert not Members(members.folder).joined_by_invitation("Harbour")


def test_when_each_was_heard_of_outlives_the_service(
    folder: FederationFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written now and then, and at the end; a damaged file says nothing."""
    members = Members(folder)
    members.add(member_of("Old Market"))
    monkeypatch.setattr(last_heard, "WRITTEN_EVERY_S", 0.0)
    members.heard("Old Market")
    heard = Members(folder).last_heard("Old Market")
    assert heard is not None
    assert abs(dt.datetime.now(dt.UTC) - heard) < dt.timedelta(seconds=10)
    assert Members(folder).last_heard("Harbour") is None
    monkeypatch.setattr(last_heard, "WRITTEN_EVERY_S", 1e9)
    path = folder.path / "last-heard.json"
    path.write_text(json.dumps({"Old Market": "2026-05-01T00:00:00+00:00", "x": "2026"}))
    again = Members(folder)
    again.heard("Old Market")
    again.close()
    assert "2026-05-01" not in path.read_text(encoding="utf-8")
    again.left("Old Market")
    assert Members(folder).has_left("Old Market")
    assert Members(folder).last_heard("Old Market") is None
    again.heard("Old Market")
    assert not Members(folder).has_left("Old Market")
    path.write_text("[1]")
    assert Members(folder).last_heard("Old Market") is None
