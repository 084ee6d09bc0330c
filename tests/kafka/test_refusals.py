"""Whoever writes to a topic: nothing but what was asked of members is taken, and the rest is named.

No broker is needed: records are put before an end as its reader would put them.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from glean.kafka import kafka_client_carrier
from glean.kafka.chunks import split
from glean.kafka.consumer import Record
from glean.kafka.endpoint import FRESH_S
from glean.kafka.envelope import (
    ACKNOWLEDGEMENT,
    END,
    HEARTBEAT,
    MESSAGE,
    REPLY,
    RUN,
    SERVER,
    EnvelopeHead,
    digest_of,
)
from glean.kafka.kafka_carrier import PRESENT_S, KafkaCarrier
from glean.kafka.kafka_client_carrier import SILENCE_S
from glean.kafka.topics import Topics
from glean.privacy.envelope_signature import EnvelopeSigner
from tests.kafka_ends import NAMES, Ends, Keys, announcement, new_federation
from tests.kafka_ends import RUN as RUN_ID

pytest.importorskip("confluent_kafka", reason="needs pip install 'glean[kafka]'")

NOWHERE = "kafka://127.0.0.1:1/test"
TOPICS = Topics("test")
COUNT = 10_000


@dataclass
class Writer:
    """Writes records as a sender of a federation does, and as others would like to.

    Parameters
    ----------
    keys : Keys
        The federation's.
    """

    keys: Keys
    sequence: int = 0
    offsets: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        private = {name: keys.signing_key for name, keys in self.keys.members.items()}
        private[SERVER] = self.keys.server.pem
        self.signers = {n: EnvelopeSigner(key, source="key") for n, key in private.items()}

    def head(self, sender: str, kind: str, body: bytes, **others: object) -> EnvelopeHead:
        """A right head, but for what is said otherwise."""
        self.sequence += 1
        right = EnvelopeHead(
            federation="test",
            run=RUN_ID,
            sender=sender,
            receiver=SERVER,
            kind=kind,
            message_id=f"{kind}-{self.sequence}",
            reply_to="",
            sequence=self.sequence,
            made_at=time.time(),
            size=len(body),
            digest=digest_of(body),
        )
        return replace(right, **others)  # type: ignore[arg-type]

    def records(
        self,
        topic: str,
        head: EnvelopeHead,
        body: bytes,
        *,
        signer: str | None = None,
        chunk_bytes: int = 400,
    ) -> list[Record]:
        """A message's records, by its sender or by another."""
        own = self.signers[head.sender if signer is None else signer]
        return [
            self.record(topic, value) for value in split(head, body, own, chunk_bytes=chunk_bytes)
        ]

    def record(self, topic: str, value: bytes) -> Record:
        """A record of any bytes."""
        self.offsets[topic] += 1
        return Record(topic, 0, self.offsets[topic], value)


Wrong = tuple[Record, set[str]]
"""A record that isn't to be taken, and the reasons of which one is to be named."""


def corrupted(draw: random.Random, right: Record, writer: Writer) -> Wrong:
    """A byte changed, or the end cut off."""
    value = bytearray(right.value)
    if draw.random() < 0.2:
        del value[draw.randrange(len(value)) :]
    else:
        value[draw.randrange(len(value))] ^= draw.randrange(1, 256)
    reasons = {
        *("unreadable", "checksum", "signature", "unknown sender", "other federation"),
        *("unknown kind", "other topic", "too large", "other receiver"),
    }
    return writer.record(right.topic, bytes(value)), reasons


def foreign_heads(
    writer: Writer, name: str, other: str
) -> list[tuple[str, EnvelopeHead, str, str]]:
    """Topic, head, who signs it, and the reason: each rightly made, and none of this end's."""
    updates, presence = TOPICS.updates, TOPICS.heartbeats

    def reply(**others: object) -> EnvelopeHead:
        return writer.head(name, REPLY, b"x", **{"reply_to": f"asked-{name}", **others})

    def beat(**others: object) -> EnvelopeHead:
        return writer.head(name, HEARTBEAT, b"[]", **others)

    return [
        (updates, reply(federation="other"), name, "other federation"),
        (updates, reply(run=RUN_ID + 1), name, "other run"),
        (updates, reply(receiver=other), name, "other receiver"),
        (updates, reply(reply_to="nothing"), name, "answers nothing that was asked"),
        (updates, reply(reply_to=f"asked-{other}"), name, "answers nothing that was asked"),
        (updates, reply(made_at=time.time() - FRESH_S - 60), name, "not fresh"),
        (updates, reply(made_at=time.time() + FRESH_S + 60), name, "not fresh"),
        (updates, reply(message_id="\ud800"), name, "unreadable"),
        (updates, reply(), other, "signature"),
        (updates, reply(), SERVER, "signature"),
        (updates, replace(reply(), sender="Südbrot"), name, "unknown sender"),
        (updates, replace(reply(), sender=SERVER), SERVER, "unknown sender"),
        (updates, replace(reply(), kind=MESSAGE), name, "other topic"),
        (updates, beat(), name, "other topic"),
        (presence, reply(), name, "other topic"),
        (presence, beat(sequence=0), name, "older than what was heard"),
        (presence, beat(), other, "signature"),
        (presence, beat(run=RUN_ID - 1), name, "other run"),
    ]


def foreign(draw: random.Random, writer: Writer) -> Wrong:
    """Rightly made, and of somebody or something else."""
    name, other = draw.sample(NAMES, 2)
    topic, head, signer, reason = draw.choice(foreign_heads(writer, name, other))
    body = b"x" if head.kind in (REPLY, MESSAGE) else b"[]"
    record = writer.records(topic, head, body, signer=signer)[0]
    return record, {reason}


@contextmanager
def server_end(folder: Path, keys: Keys) -> Iterator[KafkaCarrier]:
    """A server's end without a broker, which has asked each client something."""
    server = Ends(NOWHERE, folder, keys).server()
    try:
        server.announce(announcement())
        for name in NAMES:
            server.send(name, f"asked-{name}", b"model")
        yield server
    finally:
        server.close()


def test_of_ten_thousand_wrong_records_none_is_taken_and_each_is_named(tmp_path: Path) -> None:
    """Corrupted, replayed, reordered and foreign ones, around three messages that are right."""
    keys, draw = new_federation(), random.Random(20)  # noqa: S311 # a test's
    writer = Writer(keys)
    with server_end(tmp_path, keys) as server:
        bodies = {name: draw.randbytes(1500) for name in NAMES}
        right = {}
        for name, body in bodies.items():
            head = writer.head(name, REPLY, body, reply_to=f"asked-{name}")
            right[name] = writer.records(TOPICS.updates, head, body)
        beats = [
            writer.records(TOPICS.heartbeats, writer.head(name, HEARTBEAT, b"[]"), b"[]")[0]
            for name in NAMES
            for _ in range(5)
        ]
        named = server.dead_letters.counts
        for name in NAMES:
            server._consider(beats[5 * NAMES.index(name) + 4])

        def wrong(kind: int) -> Wrong:
            some = draw.choice([*right[draw.choice(NAMES)], *beats])
            match kind:
                case 0:
                    return corrupted(draw, some, writer)
                case 1:
                    return foreign(draw, writer)
                case 2:
                    return beats[draw.randrange(len(beats))], {"older than what was heard"}
                case _:
                    return right[draw.choice(taken)][draw.randrange(4)], {"came again"}

        taken: list[str] = []
        for number in range(COUNT):
            if number % 3000 == 1000:
                name = NAMES[number // 3000]
                chunks = right[name][:]
                draw.shuffle(chunks)
                for chunk in chunks:
                    server._consider(chunk)
                taken.append(name)
            record, reasons = wrong(number % (4 if taken else 3))
            before = Counter(named)
            server._consider(record)
            assert set(named - before) <= reasons
            assert (named - before).total() == 1
        found = server.receive(0.0)
        assert {reply.node: reply.body for reply in found} == bodies
        assert len(found) == len(NAMES)
        assert named.total() == COUNT
        assert len(named) >= 11


def test_while_the_broker_is_away_nobody_goes(tmp_path: Path) -> None:
    """A heartbeat that couldn't be heard isn't missed; afterwards it is."""
    with server_end(tmp_path, new_federation()) as server:
        now = time.monotonic()
        server._heard = {NAMES[0]: (now - 61.0, 1), NAMES[1]: (now - 61.0 - PRESENT_S, 1)}
        server._alive_at = now - 60.0
        server._note_alive(now)
        assert server.present() == [NAMES[0]]
        server._alive_at = now + 1.0
        server._note_alive(now + 1.5)
        server._note_alive(now + 3.0)
        server._note_alive(now + 4.5)
        assert server.present() == [NAMES[0]]
        for second in range(5, 2 + int(PRESENT_S)):
            server._note_alive(now + second)
        assert server.present() == []


def test_a_client_takes_nothing_but_the_server_s_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No member's; announcements only newer ones; messages once, and of runs that go on."""
    keys = new_federation()
    writer, name = Writer(keys), NAMES[0]
    client = Ends(NOWHERE, tmp_path, keys).client(name)
    try:

        def refused(topic: str, kind: str, body: bytes, **others: object) -> str:
            signer = str(others.pop("signer", SERVER))
            sender = str(others.pop("sender", SERVER))
            head = writer.head(sender, kind, body, **{"receiver": name, **others})
            before = Counter(client.dead_letters.counts)
            for record in writer.records(topic, head, body, signer=signer, chunk_bytes=100):
                client._consider(record)
            return ", ".join(client.dead_letters.counts - before)

        model, run = TOPICS.models, announcement()
        assert refused(TOPICS.runs, RUN, run, signer=NAMES[1]) == "signature"
        assert refused(TOPICS.runs, RUN, run, sender=NAMES[1], signer=NAMES[1]) == "unknown sender"
        assert client.runs() == []
        assert refused(TOPICS.runs, RUN, run, receiver="*") == ""
        assert client.runs() == [run]
        assert (
            refused(TOPICS.runs, RUN, run, receiver="*", sequence=1) == "older than what was heard"
        )
        assert refused(model, MESSAGE, b"x", receiver=NAMES[1]) == ""  # another's in the partition
        assert refused(model, RUN, run) == "other topic"
        assert refused(model, MESSAGE, bytes(1000), message_id="one") == ""
        assert refused(model, MESSAGE, bytes(1000), message_id="one") == "came again"
        assert client.receive(0.0) == [(RUN_ID, "one", bytes(1000))]
        client.reply(RUN_ID, "one", b"done")
        assert refused(model, MESSAGE, bytes(1000), message_id="one") == "came again"
        waiting = [message.message_id for message in client._outbox.waiting()]
        assert waiting == ["one.reply"]
        assert refused(model, ACKNOWLEDGEMENT, b'["one.reply"]', signer=NAMES[1]) == "signature"
        assert refused(model, ACKNOWLEDGEMENT, b'["one.reply"]') == ""
        assert client._outbox.waiting() == []
        assert refused(TOPICS.runs, END, b"completed", receiver="*") == ""
        assert client.runs() == []
        assert refused(TOPICS.runs, RUN, run, receiver="*") == "other run"
        now = writer.sequence
        old, newer = announcement(RUN_ID - 1), announcement(RUN_ID + 1)
        monkeypatch.setattr(kafka_client_carrier, "CLOCK_SET_BACK_S", 2e-9)
        before: dict[str, object] = {"run": RUN_ID - 1, "receiver": "*", "sequence": now - 4}
        assert refused(TOPICS.runs, RUN, old, **before) == "older than what was heard"
        assert client.runs() == []
        assert refused(TOPICS.runs, RUN, newer, run=RUN_ID + 1, receiver="*") == ""
        assert refused(TOPICS.runs, RUN, old, **before) == "older than what was heard"
        assert client.runs() == [newer]
        assert refused(model, MESSAGE, b"late", message_id="two") == "other run"
        assert client.receive(0.0) == []
    finally:
        client.close()


def test_a_member_speaks_only_for_what_it_was_asked_itself(tmp_path: Path) -> None:
    """What it claims to have in hand of others' messages is sent to them again."""
    keys = new_federation()
    writer, (name, other, _) = Writer(keys), NAMES
    with server_end(tmp_path, keys) as server:
        claimed = json.dumps([f"asked-{name}", f"asked-{other}", "nothing"]).encode()
        head = writer.head(name, HEARTBEAT, claimed)
        for record in writer.records(TOPICS.heartbeats, head, claimed):
            server._consider(record)
        assert server._in_hand == {name: frozenset({f"asked-{name}"})}


def test_messages_of_a_run_that_nobody_speaks_of_are_let_go(tmp_path: Path) -> None:
    """Else what a killed server has asked would fill hands; it comes again if need be."""
    keys, name = new_federation(), NAMES[0]
    writer = Writer(keys)
    client = Ends(NOWHERE, tmp_path, keys).client(name)
    now = time.monotonic()
    try:

        def ask(message_id: str) -> None:
            head = writer.head(SERVER, MESSAGE, b"x", receiver=name, message_id=message_id)
            client._consider(writer.records(TOPICS.models, head, b"x")[0])

        ask("one")
        client._let_go_of_silent_runs(now)
        assert list(client._hand) == ["one"]
        client._let_go_of_silent_runs(now + SILENCE_S + 1.0)
        assert list(client._hand) == []
        ask("one")
        run = announcement()
        head = writer.head(SERVER, RUN, run, receiver="*")
        client._consider(writer.records(TOPICS.runs, head, run)[0])
        assert client.receive(0.0) == [(RUN_ID, "one", b"x")]
    finally:
        client.close()
