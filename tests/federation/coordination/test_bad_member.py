"""One member that misbehaves about keys stops no run, and is the one that is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from flwr.app import Message

from glean.federation.coordination.secagg_server import ADVERTISE_KEYS
from glean.federation.coordination.sum_rounds import SUM
from glean.federation.coordination.unmasking import UNMASK
from glean.federation.wire.sum_messages import KeyReply, SumReply, UnmaskResult
from glean.learning.forest import Forest
from glean.privacy.mask_keys import KeyAdvertisement
from tests.federation.coordination.meddling import BAD, only
from tests.federations import Honest, MeddledApp, federation_of, small_settings

LOW_ORDER = (bytes(32), (1).to_bytes(32, "little"))


def always_lacking(message: Message, honest: Honest) -> Message:
    told = replace(SumReply.from_record(honest().content), lacks_keys=True, vector=b"", sums=())
    return Message(told.to_record(), reply_to=message)


def with_key(change: Callable[[bytes], bytes]) -> Callable[[Message, Honest], Message]:
    def reply(message: Message, honest: Honest) -> Message:
        told = KeyReply.from_record(honest().content)
        changed = replace(told, advertisement=change(told.advertisement))
        return Message(changed.to_record(), reply_to=message)

    return reply


def of_low_order(key: bytes) -> Callable[[bytes], bytes]:
    return lambda content: replace(KeyAdvertisement.from_bytes(content), public_key=key).to_bytes()


def refusing(_message: Message, _honest: Honest) -> Message:
    raise RuntimeError("no")


def in_place_of_shares(change: Callable[[bytes], bytes]) -> Callable[[Message, Honest], Message]:
    def reply(message: Message, honest: Honest) -> Message:
        told = UnmaskResult.from_record(honest().content)
        changed = replace(told, answer=change(told.answer))
        return Message(changed.to_record(), reply_to=message)

    return reply


def in_place_of_sums(
    change: Callable[[SumReply], SumReply],
) -> Callable[[Message, Honest], Message]:
    def reply(message: Message, honest: Honest) -> Message:
        changed = change(SumReply.from_record(honest().content))
        return Message(changed.to_record(), reply_to=message)

    return reply


def twenty_megabytes(told: SumReply) -> SumReply:
    return replace(told, vector=bytes(20_000_000)) if told.vector else told


def a_hundred_trees(told: SumReply) -> SumReply:
    if not told.proposal:
        return told
    forest = Forest.from_bytes(told.proposal)
    return replace(told, proposal=replace(forest, trees=forest.trees * 100).to_bytes())


ATTACKS = {
    "always lacks keys": (SUM, always_lacking, "times in a row that it lacks the keys it made"),
    "a key of zeros": (ADVERTISE_KEYS, with_key(of_low_order(LOW_ORDER[0])), "key can't be used"),
    "a key of low order": (ADVERTISE_KEYS, with_key(of_low_order(LOW_ORDER[1])), "can't be used"),
    "ten megabytes behind the key": (
        ADVERTISE_KEYS,
        with_key(lambda content: content + bytes(10**7)),
        "bytes too many",
    ),
    "another's name": (
        ADVERTISE_KEYS,
        with_key(lambda content: content.replace(BAD.encode(), b"bakery 2")),
        "found a key of 'bakery 2'",
    ),
    "no key": (ADVERTISE_KEYS, refusing, "no"),
    "no shares": (UNMASK, refusing, "no"),
    "zeros in place of shares": (
        UNMASK,
        in_place_of_shares(lambda a: bytes(len(a))),
        "unmask reply",
    ),
    "a vector of 20 MB": (SUM, in_place_of_sums(twenty_megabytes), "bytes"),
    "a hundred trees": (SUM, in_place_of_sums(a_hundred_trees), "trees"),
}


@pytest.mark.parametrize(("kind", "reply", "words"), ATTACKS.values(), ids=ATTACKS)
def test_one_member_stops_no_run(
    kind: str,
    reply: Callable[[Message, Honest], Message],
    words: str,
    tmp_path: Path,
    five_bakeries: str,
) -> None:
    """The others learn to the end, and nobody else is blamed."""
    settings = small_settings(five_bakeries, leaf_values="refit", secure_sums=True)
    app = MeddledApp(only(kind, reply))
    found = federation_of(tmp_path, settings, partitions=range(5), app=app)
    assert found.run().last_round == 2
    assert found.table("rounds.csv")["replies"].tolist()[-1] >= 4
    assert {bakery for _, bakery, _ in found.failures()} == {BAD}
    assert words in found.failures()[-1][2]


def test_wrong_shares_are_done_without(tmp_path: Path, five_bakeries: str) -> None:
    """The others' shares are a majority, and a commitment tells which don't fit."""
    flipped = in_place_of_shares(lambda answer: answer[:14] + bytes(b ^ 1 for b in answer[14:]))
    settings = small_settings(five_bakeries, leaf_values="refit", secure_sums=True)
    honest = federation_of(tmp_path / "honest", settings, partitions=range(5))
    app = MeddledApp(only(UNMASK, flipped))
    meddled = federation_of(tmp_path / "meddled", settings, partitions=range(5), app=app)
    assert meddled.run().model.to_bytes() == honest.run().model.to_bytes()
