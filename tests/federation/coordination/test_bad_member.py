"""One member that misbehaves about keys stops no run, and is the one that is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from flwr.app import Message

from glean.federation.coordination.secagg_server import ADVERTISE_KEYS, UNMASK
from glean.federation.coordination.sum_rounds import SUM
from glean.federation.wire.sum_messages import KeyReply, SumReply
from glean.privacy.mask_keys import KeyAdvertisement
from tests.federation.coordination.meddling import BAD, only
from tests.federations import Honest, MeddledApp, federation_of, small_settings
from tests.tables import random_table

LOW_ORDER = (bytes(32), (1).to_bytes(32, "little"))


@pytest.fixture(scope="module")
def five_bakeries(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("sales") / "five.csv"
    random_table(bakeries=5, days=80).rows.to_csv(path, index=False)
    return str(path)


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
