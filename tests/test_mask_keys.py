"""Key offers and the roster: whose key it is can't be forged, and bytes are read strictly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glean.errors import SecureSumError
from glean.privacy.mask_keys import KeyOffer, OwnKey
from glean.privacy.mask_messages import Answer, Asked, Masked, Question
from glean.privacy.mask_roster import Roster
from glean.privacy.mask_state import read_key, read_masker, write_key, write_masker
from glean.privacy.masking import Masker
from glean.privacy.members import BakeryKeys, new_keys
from tests.maskers import agreed, refusal

NAMES = ["Anker", "Brot", "Çörek"]


def members(names: list[str] = NAMES) -> list[BakeryKeys]:
    return [new_keys(name) for name in names]


def signed(keys: BakeryKeys, *, epoch: str = "run 1") -> KeyOffer:
    offer = OwnKey.new(keys.member.bakery, epoch=epoch).offer
    return offer.signed(keys.signing_key, epoch=epoch)


def test_a_roster_of_members_is_accepted() -> None:
    """Signed by each with the key that the member list has of it, also after the journey."""
    known = members()
    roster = Roster.of([signed(keys) for keys in known], epoch="run 1", seed=b"x")
    Roster.from_bytes(roster.to_bytes()).verify([keys.member for keys in known])


def test_a_stranger_is_refused() -> None:
    """A server can't add a bakery of its own."""
    known = members()
    roster = Roster.of([signed(keys) for keys in known], epoch="run 1", seed=b"x")
    with pytest.raises(SecureSumError, match=r"'Brot': it isn't in members\.json"):
        roster.verify([keys.member for keys in known if keys.member.bakery != "Brot"])


def test_a_key_that_was_exchanged_is_refused() -> None:
    """Nor put a key in between, nor move a signature to another bakery, nor leave it out."""
    known = members()
    offers = {keys.member.bakery: signed(keys) for keys in known}
    other = OwnKey.new("Brot", epoch="run 1").offer.public_key
    for wrong in (
        replace(offers["Brot"], public_key=other),
        replace(offers["Brot"], signature=offers["Anker"].signature),
        replace(offers["Brot"], signature=b""),
        signed(replace(known[0], member=known[1].member)),
    ):
        roster = Roster.of([*(offers | {"Brot": wrong}).values()], epoch="run 1", seed=b"x")
        with pytest.raises(SecureSumError, match="'Brot': its signature doesn't fit"):
            roster.verify([keys.member for keys in known])


def test_an_offer_of_another_run_is_refused() -> None:
    """Or an old key, whose seeds may be known by now, could be played again."""
    known = members()
    offers = [signed(keys, epoch="run 0") for keys in known]
    with pytest.raises(SecureSumError, match="of another run"):
        Roster.of(offers, epoch="run 1", seed=b"x").verify([keys.member for keys in known])


@pytest.mark.parametrize(
    "key", [b"", b"no key", members()[0].node_key], ids=["empty", "none", "another"]
)
def test_a_signing_key_that_is_none_is_refused(key: bytes) -> None:
    """The bakery's helper may have pointed at the wrong file."""
    with pytest.raises(SecureSumError, match="signing-key"):
        OwnKey.new("Brot", epoch="run 1").offer.signed(key, epoch="run 1")


def test_a_member_list_with_a_broken_key_is_refused() -> None:
    """It is a file that people copy."""
    keys = members()[0]
    for line in ("", "ssh-ed25519 AAAA", keys.member.node_key):
        with pytest.raises(SecureSumError, match=r"members\.json"):
            signed(keys).verify(replace(keys.member, signing_key=line), epoch="run 1")


def test_a_roster_is_of_three_or_more_each_once() -> None:
    """With two, each would learn the other's part."""
    offers = [OwnKey.new(name, epoch="run 1").offer for name in NAMES]
    for wrong, words in (
        (offers[:2], "found 2 bakeries; wanted 3"),
        ([*offers, offers[0]], "names twice"),
        ([*offers, replace(offers[0], bakery="Zopf")], "one key twice"),
    ):
        with pytest.raises(SecureSumError, match=words):
            Roster.of(wrong, epoch="run 1", seed=b"x")


def test_a_bakery_knows_its_own_key_and_epoch() -> None:
    """It refuses a roster in which it is somebody else, or missing, or of another epoch."""
    offers = [OwnKey.new(name, epoch="run 1").offer for name in NAMES]
    roster = Roster.of(offers, epoch="run 1", seed=b"x")
    for own, words in (
        (OwnKey.new("Brot", epoch="run 1"), "another key of 'Brot'"),
        (OwnKey.new("Zopf", epoch="run 1"), "'Zopf', which has no key"),
        (OwnKey.new("Brot", epoch="run 2"), "epoch 'run 1'; wanted 'run 2'"),
    ):
        assert words in refusal(lambda own=own: Masker(own, roster))


def test_a_useless_public_key_is_refused() -> None:
    """A key of low order would make the shared secret known to everybody."""
    own = [OwnKey.new(name, epoch="run 1") for name in NAMES]
    offers = [own[0].offer, own[1].offer, replace(own[2].offer, public_key=bytes(32))]
    masker = Masker(own[0], Roster.of(offers, epoch="run 1", seed=b"x"))
    with pytest.raises(SecureSumError, match="key of 'Çörek' can't be used"):
        masker.mask(np.zeros(3, np.uint64), step=1, participants=0b111)


def test_two_stories_about_the_roster_lead_to_different_keys() -> None:
    """Bakeries that were shown different members share nothing."""
    own = [OwnKey.new(name, epoch="run 1") for name in [*NAMES, "Zopf"]]
    offers = [key.offer for key in own]
    long, short = (Roster.of(some, epoch="run 1", seed=b"x") for some in (offers, offers[:3]))
    first = Masker(own[0], long).keys.seed(1, 1)
    assert Masker(own[1], long).keys.seed(0, 1) == first
    assert Masker(own[1], short).keys.seed(0, 1) != first


def messages() -> list[tuple[Callable[[bytes], object], bytes]]:
    """One of each kind, with its reader."""
    maskers = agreed(4)
    roster = maskers[0].roster
    masked = maskers[0].mask(np.arange(3, dtype=np.uint64), step=7, participants=roster.everybody)
    question = Question(7, Asked.SHARES, 0b1011, masked.boxes[:2])
    return [
        (KeyOffer.from_bytes, signed(members()[0]).to_bytes()),
        (KeyOffer.from_bytes, maskers[0].own.offer.to_bytes()),
        (Roster.from_bytes, roster.to_bytes()),
        (Masked.from_bytes, masked.to_bytes()),
        (Question.from_bytes, question.to_bytes()),
        (Question.from_bytes, Question(7, Asked.SEEDS, 0).to_bytes()),
        (Answer.from_bytes, Answer(7, Asked.SEEDS, (b"s" * 32,) * 3).to_bytes()),
        (Answer.from_bytes, Answer(7, Asked.SHARES, (b"s" * 16,) * 3).to_bytes()),
        (read_key, write_key(maskers[0].own)),
        (read_masker, write_masker(maskers[0])),
    ]


MESSAGES = messages()


@pytest.mark.parametrize(("read", "content"), MESSAGES, ids=range(len(MESSAGES)))
def test_every_message_survives_the_journey(
    read: Callable[[bytes], object], content: bytes
) -> None:
    """Read and written again it is the same; with a byte more or any fewer it is none."""
    found = read(content)
    if isinstance(found, OwnKey):
        assert write_key(found) == content
    elif isinstance(found, Masker):
        assert write_masker(found) == content
    else:
        assert isinstance(found, KeyOffer | Roster | Masked | Question | Answer)
        assert found.to_bytes() == content
    for wrong in [content + b"x", *(content[:size] for size in range(len(content)))]:
        assert "of a secure sum" in refusal(lambda wrong=wrong: read(wrong))


@settings(max_examples=300)
@given(st.sampled_from(MESSAGES), st.data())
def test_spoilt_bytes_never_end_in_a_traceback(
    message: tuple[Callable[[bytes], object], bytes], data: st.DataObject
) -> None:
    """Whatever is changed, it is a message still or refused as a Glean error."""
    read, content = message
    spoilt = bytearray(content)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(spoilt) - 1))
        spoilt[at] = data.draw(st.integers(0, 255))
    try:
        read(bytes(spoilt))
    except SecureSumError as error:
        assert "wanted" in str(error)  # noqa: PT017


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(content: bytes) -> None:
    """None of the readers takes chance for a message."""
    for read, _ in MESSAGES:
        with pytest.raises(SecureSumError):
            read(content)
