"""Key advertisements and the cohort: they can't be forged, and bytes are read strictly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glean.errors import SecureSumError
from glean.privacy.cohort import Cohort
from glean.privacy.mask_keys import KeyAdvertisement, KeyPair
from glean.privacy.mask_messages import MaskedInput, SeedRequest, UnmaskReply, UnmaskRequest
from glean.privacy.mask_serialization import read_client, read_key, write_client, write_key
from glean.privacy.members import BakeryKeys, new_keys
from glean.privacy.secagg_client import SecAggClient
from tests.secagg_clients import agreed, refusal

NAMES = ["Anker", "Brot", "Çörek"]


def members(names: list[str] = NAMES) -> list[BakeryKeys]:
    return [new_keys(name) for name in names]


def signed(keys: BakeryKeys, *, epoch: str = "run 1") -> KeyAdvertisement:
    advertisement = KeyPair.new(keys.member.bakery, epoch=epoch).advertisement
    return advertisement.signed(keys.signing_key, epoch=epoch)


def test_a_cohort_of_members_is_accepted() -> None:
    """Signed by each with the key that the member list has of it, also after the journey."""
    known = members()
    cohort = Cohort.of([signed(keys) for keys in known], epoch="run 1", seed=b"x")
    Cohort.from_bytes(cohort.to_bytes()).verify([keys.member for keys in known])


def test_a_stranger_is_refused() -> None:
    """A server can't add a bakery of its own."""
    known = members()
    cohort = Cohort.of([signed(keys) for keys in known], epoch="run 1", seed=b"x")
    with pytest.raises(SecureSumError, match=r"'Brot': it isn't in members\.json"):
        cohort.verify([keys.member for keys in known if keys.member.bakery != "Brot"])


def test_a_key_that_was_exchanged_is_refused() -> None:
    """Nor put a key in between, nor move a signature to another bakery, nor leave it out."""
    known = members()
    advertisements = {keys.member.bakery: signed(keys) for keys in known}
    other = KeyPair.new("Brot", epoch="run 1").advertisement.public_key
    for wrong in (
        replace(advertisements["Brot"], public_key=other),
        replace(advertisements["Brot"], signature=advertisements["Anker"].signature),
        replace(advertisements["Brot"], signature=b""),
        signed(replace(known[0], member=known[1].member)),
    ):
        cohort = Cohort.of([*(advertisements | {"Brot": wrong}).values()], epoch="run 1", seed=b"x")
        with pytest.raises(SecureSumError, match="'Brot': its signature doesn't fit"):
            cohort.verify([keys.member for keys in known])


def test_an_offer_of_another_run_is_refused() -> None:
    """Or an old key, whose seeds may be known by now, could be played again."""
    known = members()
    advertisements = [signed(keys, epoch="run 0") for keys in known]
    with pytest.raises(SecureSumError, match="of another run"):
        Cohort.of(advertisements, epoch="run 1", seed=b"x").verify([keys.member for keys in known])


@pytest.mark.parametrize(
    "key", [b"", b"no key", members()[0].node_key], ids=["empty", "none", "another"]
)
def test_a_signing_key_that_is_none_is_refused(key: bytes) -> None:
    """The bakery's helper may have pointed at the wrong file."""
    with pytest.raises(SecureSumError, match="signing-key"):
        KeyPair.new("Brot", epoch="run 1").advertisement.signed(key, epoch="run 1")


def test_a_member_list_with_a_broken_key_is_refused() -> None:
    """It is a file that people copy."""
    keys = members()[0]
    for line in ("", "ssh-ed25519 AAAA", keys.member.node_key):
        with pytest.raises(SecureSumError, match=r"members\.json"):
            signed(keys).verify(replace(keys.member, signing_key=line), epoch="run 1")


def test_a_cohort_is_of_three_or_more_each_once() -> None:
    """With two, each would learn the other's part."""
    advertisements = [KeyPair.new(name, epoch="run 1").advertisement for name in NAMES]
    for wrong, words in (
        (advertisements[:2], "found 2 contributors; wanted 3"),
        ([*advertisements, advertisements[0]], "names twice"),
        ([*advertisements, replace(advertisements[0], bakery="Zopf")], "one key twice"),
    ):
        with pytest.raises(SecureSumError, match=words):
            Cohort.of(wrong, epoch="run 1", seed=b"x")


def test_a_bakery_knows_its_own_key_and_epoch() -> None:
    """It refuses a cohort in which it is somebody else, or missing, or of another epoch."""
    advertisements = [KeyPair.new(name, epoch="run 1").advertisement for name in NAMES]
    cohort = Cohort.of(advertisements, epoch="run 1", seed=b"x")
    for own, words in (
        (KeyPair.new("Brot", epoch="run 1"), "another key of 'Brot'"),
        (KeyPair.new("Zopf", epoch="run 1"), "'Zopf', which has no key"),
        (KeyPair.new("Brot", epoch="run 2"), "epoch 'run 1'; wanted 'run 2'"),
    ):
        assert words in refusal(lambda own=own: SecAggClient(own, cohort))


def test_a_useless_public_key_is_refused() -> None:
    """A key of low order would make the shared secret known to everybody."""
    own = [KeyPair.new(name, epoch="run 1") for name in NAMES]
    advertisements = [
        own[0].advertisement,
        own[1].advertisement,
        replace(own[2].advertisement, public_key=bytes(32)),
    ]
    secagg_client = SecAggClient(own[0], Cohort.of(advertisements, epoch="run 1", seed=b"x"))
    with pytest.raises(SecureSumError, match="key of 'Çörek' can't be used"):
        secagg_client.mask(np.zeros(3, np.uint64), step=1, participants=0b111)


def test_two_stories_about_the_cohort_lead_to_different_keys() -> None:
    """Bakeries that were shown different members share nothing."""
    own = [KeyPair.new(name, epoch="run 1") for name in [*NAMES, "Zopf"]]
    advertisements = [key.advertisement for key in own]
    long, short = (
        Cohort.of(some, epoch="run 1", seed=b"x") for some in (advertisements, advertisements[:3])
    )
    first = SecAggClient(own[0], long).keys.seed(1, 1)
    assert SecAggClient(own[1], long).keys.seed(0, 1) == first
    assert SecAggClient(own[1], short).keys.seed(0, 1) != first


def messages() -> list[tuple[Callable[[bytes], object], bytes]]:
    """One of each kind, with its reader."""
    secagg_clients = agreed(4)
    cohort = secagg_clients[0].cohort
    masked = secagg_clients[0].mask(
        np.arange(3, dtype=np.uint64), step=7, participants=cohort.everybody
    )
    request = UnmaskRequest(7, SeedRequest.SHARES, 0b1011, (masked.nonce,) * 2)
    return [
        (KeyAdvertisement.from_bytes, signed(members()[0]).to_bytes()),
        (KeyAdvertisement.from_bytes, secagg_clients[0].key_pair.advertisement.to_bytes()),
        (Cohort.from_bytes, cohort.to_bytes()),
        (MaskedInput.from_bytes, masked.to_bytes()),
        (UnmaskRequest.from_bytes, request.to_bytes()),
        (UnmaskRequest.from_bytes, UnmaskRequest(7, SeedRequest.SEEDS, 0).to_bytes()),
        (UnmaskReply.from_bytes, UnmaskReply(7, SeedRequest.SEEDS, (b"s" * 32,) * 3).to_bytes()),
        (UnmaskReply.from_bytes, UnmaskReply(7, SeedRequest.SHARES, (b"s" * 16,) * 3).to_bytes()),
        (read_key, write_key(secagg_clients[0].key_pair)),
        (read_client, write_client(secagg_clients[0])),
    ]


MESSAGES = messages()


@pytest.mark.parametrize(("read", "content"), MESSAGES, ids=range(len(MESSAGES)))
def test_every_message_survives_the_journey(
    read: Callable[[bytes], object], content: bytes
) -> None:
    """Read and written again it is the same; with a byte more or any fewer it is none."""
    found = read(content)
    if isinstance(found, KeyPair):
        assert write_key(found) == content
    elif isinstance(found, SecAggClient):
        assert write_client(found) == content
    else:
        assert isinstance(
            found, KeyAdvertisement | Cohort | MaskedInput | UnmaskRequest | UnmaskReply
        )
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
