"""The log of members' keys: it only grows, and a swapped key or a second log is noticed."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.privacy.key_log import (
    JOINED,
    LET_IN,
    REPLACED,
    SHUT_OUT,
    KeyLog,
    KeyLogEntry,
    KeyLogError,
    read_key_log,
    write_key_log,
)
from glean.privacy.members import Member, new_keys, read_members, write_members
from glean.privacy.model_key import ModelSigner, new_model_key

PEM, PUBLIC = new_model_key()
SIGNER = ModelSigner(PEM, "model-key")
AT = "2026-11-30T05:00:00+00:00"
MEMBERS = {name: new_keys(name).member for name in ("A", "B", "C")}
NEW_KEYS = new_keys("A").member


def log_of(*events: tuple[str, Member]) -> KeyLog:
    """Make a log."""
    log = KeyLog()
    for event, member in events:
        log = log.with_entry(event, member, SIGNER, at=AT)
    return log


THREE = log_of(*((JOINED, member) for member in MEMBERS.values()))


def names(members: tuple[Member, ...]) -> list[str]:
    """Name them."""
    return [member.bakery for member in members]


def test_members_are_those_who_joined_and_were_not_shut_out() -> None:
    """In and out and in again, with their keys."""
    out = THREE.with_entry(SHUT_OUT, MEMBERS["B"], SIGNER, at=AT)
    assert (names(out.members), names(out.shut_out)) == (["A", "C"], ["B"])
    back = out.with_entry(LET_IN, MEMBERS["B"], SIGNER, at=AT)
    assert (names(back.members), back.shut_out) == (["A", "B", "C"], ())
    assert [member.keys for member in THREE.members] == [m.keys for m in MEMBERS.values()]


def test_a_lost_key_is_replaced_by_an_entry_of_its_own() -> None:
    """The name goes on with new keys, and who is shut out stays so."""
    new = THREE.with_entry(REPLACED, NEW_KEYS, SIGNER, at=AT)
    found = new.member("A")
    assert found is not None
    assert found.keys == NEW_KEYS.keys
    assert (found.logged, found.log_head) == (4, new.head)
    out = THREE.with_entry(SHUT_OUT, MEMBERS["A"], SIGNER, at=AT)
    out = out.with_entry(REPLACED, NEW_KEYS, SIGNER, at=AT)
    assert names(out.members) == ["B", "C"]


@pytest.mark.parametrize(
    ("event", "member", "words"),
    [
        (JOINED, new_keys("A").member, "is a member already"),
        (JOINED, replace(MEMBERS["A"], bakery="D"), "its key is, or was, that of 'A'"),
        (REPLACED, replace(NEW_KEYS, signing_key=MEMBERS["B"].signing_key), "that of 'B'"),
        (REPLACED, MEMBERS["A"], "its key is, or was, that of 'A'"),
        (REPLACED, new_keys("D").member, "isn't a member"),
        (SHUT_OUT, new_keys("D").member, "isn't a member"),
        (SHUT_OUT, NEW_KEYS, "other keys"),
        (LET_IN, MEMBERS["A"], "let in already"),
    ],
)
def test_what_does_not_fit_is_refused(event: str, member: Member, words: str) -> None:
    """Names and keys are each one's own, for good."""
    with pytest.raises(KeyLogError, match=words):
        THREE.with_entry(event, member, SIGNER, at=AT)


def test_a_file_is_read_back_and_every_change_is_seen() -> None:
    """A changed letter, a line left out, two lines in another order: all refused."""
    content = write_key_log(THREE)
    assert read_key_log(content, "log", key=PUBLIC) == THREE
    lines = content.splitlines(keepends=True)
    for changed in (
        lines[1:], lines[:1] + lines[2:], [lines[1], lines[0], lines[2]], [*lines, lines[2]],
    ):  # fmt: skip
        with pytest.raises(KeyLogError):
            read_key_log(b"".join(changed), "log", key=PUBLIC)
    for wrong in (b"{}\n", b"nonsense", b"\xff", b"[" * 100_000):
        with pytest.raises(KeyLogError):
            read_key_log(wrong, "log", key=PUBLIC)


@given(st.data())
def test_no_field_of_an_entry_can_be_changed(data: st.DataObject) -> None:
    """The signature is over all of it."""
    place = data.draw(st.integers(0, 2))
    entry = THREE.entries[place]
    name = data.draw(st.sampled_from([*asdict(entry)]))
    value = entry.number + 1 if name == "number" else data.draw(st.text(max_size=80))
    changed = KeyLogEntry(**{**asdict(entry), name: value})
    if changed != entry:
        with pytest.raises(KeyLogError):
            KeyLog(THREE.entries[:place]).extended([changed], PUBLIC)


def test_who_knew_a_key_notices_another_log() -> None:
    """A server that signs another history can't have it follow from what a bakery has."""
    other = log_of((JOINED, NEW_KEYS), (JOINED, MEMBERS["B"]), (JOINED, MEMBERS["C"]))
    known = KeyLog(THREE.entries[:2])
    with pytest.raises(KeyLogError, match="another log than before"):
        known.extended(other.entries[2:], PUBLIC)
    assert known.extended(THREE.entries[2:], PUBLIC) == THREE


def test_only_the_servers_key_adds_entries() -> None:
    """Another's signature is refused, with the fingerprint that was wanted."""
    stranger = ModelSigner(new_model_key()[0], "model-key")
    forged = KeyLog().with_entry(JOINED, MEMBERS["A"], stranger, at=AT)
    with pytest.raises(KeyLogError, match=PUBLIC.fingerprint):
        KeyLog().extended(forged.entries, PUBLIC)


def test_the_list_of_members_carries_the_heads() -> None:
    """A list that is carried by hand binds to the log as one that was read from it."""
    assert read_members(write_members(THREE.members)) == THREE.members
    plain = tuple(MEMBERS.values())
    assert read_members(write_members(plain)) == plain


@pytest.mark.parametrize("found", [[], {}, {**asdict(THREE.entries[0]), "number": "1"}, None])
def test_what_is_no_entry_is_refused(found: object) -> None:
    """Whatever a server sends."""
    with pytest.raises(KeyLogError, match="the log of keys"):
        KeyLogEntry.read(found)


@pytest.mark.parametrize("name", ["", "a\x1b[2J", "a\u202eb", "a/b", " a", "x" * 200])
def test_a_name_that_can_not_be_one_is_refused(name: str) -> None:
    """Whatever a server signed: names are shown in a terminal, and compared by people."""
    with pytest.raises(KeyLogError, match="the log of keys: bakery"):
        KeyLogEntry.read({**asdict(THREE.entries[0]), "bakery": name})
