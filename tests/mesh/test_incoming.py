"""Envelopes that aren't what they should be are refused and named; those that are, kept once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from glean.errors import FederationError
from glean.mesh.incoming import EnvelopeStatus, Receipt
from glean.mesh.mesh_limits import MeshLimits
from glean.privacy import sealed_envelope
from glean.privacy.peer_identity import PeerIdentity
from glean.privacy.sealed_envelope import EnvelopeHead, SealedEnvelope, seal
from tests.mesh.message_stores import KEYS, Clock, StorePeer, directories

WAYS = {"a": "b", "b": "ac", "c": "b"}
LIMITS = MeshLimits(
    message_life_s=3600.0,
    clock_skew_s=60.0,
    most_relayed_bytes=4000,
    most_arrived_bytes=4000,
    most_acknowledging_bytes=2000,
)
HANDS = 3


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def b(tmp_path: Path, clock: Clock) -> Iterator[StorePeer]:
    """The peer in the middle."""
    peer = StorePeer(tmp_path, directories(WAYS)["b"], clock=clock, limits=LIMITS)
    yield peer
    peer.close()


def head(clock: Clock, **changes: str | int) -> EnvelopeHead:
    """That of a message from a to b, made now."""
    now = int(1000 * clock.now)
    made = EnvelopeHead("four mills", "a", "b", "m1", now, now + 3_600_000)
    return replace(made, **changes)  # type: ignore[arg-type] # each of its field's kind


def sealed(
    found: EnvelopeHead,
    body: bytes = b"rolls",
    *,
    by: PeerIdentity | None = None,
    to: PeerIdentity | None = None,
) -> bytes:
    """An envelope by a for b, or by and for others."""
    envelope = seal(found, "plan", body, sender=by or KEYS["a"], receiver=(to or KEYS["b"]).public)
    return envelope.to_bytes()


def refused(peer: StorePeer, content: bytes, hops_left: int = HANDS) -> str:
    """Why an envelope is refused; nothing is kept of it."""
    receipt = peer.incoming.take(content, hops_left, "a")
    assert receipt.status is EnvelopeStatus.REFUSED, receipt
    assert peer.store.arrived.waiting() == []
    assert peer.store.relayed.waiting() == []
    return receipt.reason


def test_a_good_one_is_handled_once(b: StorePeer, clock: Clock) -> None:
    """Repeated, it is acknowledged again and has no effect."""
    content = sealed(head(clock))
    for _ in range(3):
        assert b.incoming.take(content, HANDS, "a") == Receipt(EnvelopeStatus.STORED)
        b.handlers.handle()
    assert [(m.sender, m.kind, m.message_id, m.body) for m in b.handled] == [
        ("a", "plan", "m1", b"rolls")
    ]
    assert b.store.outbox.counts() == {"a": 1}


def test_one_that_comes_over_two_connections_at_a_time_is_handled_once(
    b: StorePeer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is handled already when the second of them has only just opened it."""
    content = sealed(head(clock))
    really_open = SealedEnvelope.open

    def open_late(envelope: SealedEnvelope, identity: PeerIdentity) -> tuple[str, bytes]:
        monkeypatch.undo()
        b.incoming.take(content, HANDS, "c")
        b.handlers.handle()
        return really_open(envelope, identity)

    monkeypatch.setattr(SealedEnvelope, "open", open_late)
    assert b.incoming.take(content, HANDS, "a").status is EnvelopeStatus.STORED
    b.handlers.handle()
    assert [message.message_id for message in b.handled] == ["m1"]


def test_one_sender_fills_half_of_what_waits_to_be_handled(b: StorePeer, clock: Clock) -> None:
    """What no function takes keeps others' messages from nobody."""

    def odd(number: int, sender: str) -> bytes:
        return seal(
            head(clock, sender=sender, message_id=f"m{number}"), "odd", bytes(600),
            sender=KEYS[sender], receiver=KEYS["b"].public,
        ).to_bytes()  # fmt: skip

    receipts = [b.incoming.take(odd(number, "a"), HANDS, "a") for number in range(5)]
    assert [one.status for one in receipts] == ["stored"] * 3 + ["later"] * 2
    assert "bytes from 'a' wait here to be handled; wanted at most 2000" in receipts[3].reason
    assert b.incoming.take(odd(0, "c"), HANDS, "c").status is EnvelopeStatus.STORED
    b.handlers.on("odd", b.handled.append)
    b.handlers.handle()
    assert b.incoming.take(odd(4, "a"), HANDS, "a").status is EnvelopeStatus.STORED


def test_one_sender_has_so_many_names_remembered(
    b: StorePeer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is heard again later, and others meanwhile."""
    monkeypatch.setattr(b.store.inbox, "_most_each", 1)
    for name, status in (("m1", "stored"), ("m2", "later"), ("m1", "stored")):
        content = sealed(head(clock, message_id=name))
        assert b.incoming.take(content, HANDS, "a").status == status
    theirs = sealed(head(clock, sender="c"), by=KEYS["c"])
    assert b.incoming.take(theirs, HANDS, "c").status is EnvelopeStatus.STORED


def test_acknowledgements_that_one_peer_doesn_t_take_fill_no_outbox(
    b: StorePeer, clock: Clock
) -> None:
    """This peer can go on sending; who doesn't hear of its message sends it again."""
    for number in range(10):
        b.incoming.take(sealed(head(clock, message_id=f"m{number}")), HANDS, "a")
        b.handlers.handle()
    held = b.store.outbox.held_bytes(receiver="a")
    assert LIMITS.most_acknowledging_bytes <= held < LIMITS.most_acknowledging_bytes + 1000
    assert len(b.handled) == 10
    for waiting in b.store.outbox.waiting("a"):
        b.store.outbox.acknowledge(waiting.message_id)
    b.incoming.take(sealed(head(clock, message_id="m9")), HANDS, "a")
    assert b.store.outbox.counts() == {"a": 1}


def test_a_forged_one_is_refused(b: StorePeer, clock: Clock) -> None:
    """Signed by another member in a's name."""
    reason = refused(b, sealed(head(clock), by=KEYS["c"]))
    assert "'m1' from 'a': found a signature that isn't its sender's" in reason
    assert b.incoming.refused == {"a": 1}


def test_a_re_signed_one_is_refused(b: StorePeer, clock: Clock) -> None:
    """Contents that are a's, under the head and signature of c; c hears of it."""
    theirs = SealedEnvelope.of(sealed(head(clock)))
    mine = SealedEnvelope.of(sealed(head(clock, sender="c"), by=KEYS["c"]))
    statement = sealed_envelope._statement(mine.head_bytes, theirs.contents)
    stolen = replace(mine, contents=theirs.contents, signature=KEYS["c"].sign(statement))
    assert "'m1' from 'c' doesn't open" in refused(b, stolen.to_bytes())
    assert b.store.outbox.counts() == {"c": 1}


def test_one_for_another_key_is_refused(b: StorePeer, clock: Clock) -> None:
    """Its sender knows an older key of b, say."""
    reason = refused(b, sealed(head(clock), to=PeerIdentity.new()))
    assert "wanted them encrypted to 'b' by its key of now" in reason


def test_a_changed_receiver_is_refused(b: StorePeer, clock: Clock) -> None:
    """Who carries it can't send it to another peer."""
    envelope = SealedEnvelope.of(sealed(head(clock, receiver="c"), to=KEYS["c"]))
    changed = replace(envelope, head_bytes=envelope.head_bytes.replace(b'"c"', b'"b"'))
    assert "isn't its sender's" in refused(b, changed.to_bytes())


@pytest.mark.parametrize("length", [0, 10, 22, 60, 200])
def test_one_that_was_cut_off_is_refused(b: StorePeer, clock: Clock, length: int) -> None:
    """Wherever."""
    assert refused(b, sealed(head(clock))[:length])


def test_one_of_another_mesh_is_refused(b: StorePeer, clock: Clock) -> None:
    """Members may be in both."""
    reason = refused(b, sealed(head(clock, mesh="five mills")))
    assert "of the mesh 'five mills'; wanted 'four mills'" in reason


def test_one_that_comes_too_late_is_refused(b: StorePeer, clock: Clock) -> None:
    """However it was kept: after that nobody remembers any more whether it came before."""
    content = sealed(head(clock))
    assert b.incoming.take(content, HANDS, "a").status is EnvelopeStatus.STORED
    b.handlers.handle()
    clock.now += 3600.0 + 59.0
    assert b.incoming.take(content, HANDS, "a").status is EnvelopeStatus.STORED
    clock.now += 2.0
    assert "expired 61 s ago: it was late or repeated" in refused(b, content)
    # Long after, when the name may be forgotten, its date still stands.
    clock.now += 10_000.0
    b.incoming.take(sealed(head(clock, message_id="m2")), HANDS, "a")
    assert not b.store.inbox.seen("a", "m1")
    b.handlers.handle()
    assert "expired" in refused(b, content)
    assert len(b.handled) == 2


def test_names_of_what_is_soon_out_of_date_are_forgotten_sooner(tmp_path: Path) -> None:
    """Heartbeats would fill the disk in a week; repeated, they are refused by their dates."""
    clock = Clock()
    b = StorePeer(tmp_path, directories(WAYS)["b"], clock=clock)
    content = sealed(head(clock, expires_ms=int(1000 * clock.now) + 3_000))
    b.incoming.take(content, HANDS, "a")
    b.handlers.handle()
    clock.now += 300.0
    assert b.incoming.take(content, HANDS, "a").status is EnvelopeStatus.STORED
    clock.now += 2 * 86_400.0
    b.incoming.take(sealed(head(clock, message_id="m2")), HANDS, "a")
    assert not b.store.inbox.seen("a", "m1")
    assert "expired" in b.incoming.take(content, HANDS, "a").reason
    b.handlers.handle()
    assert [message.message_id for message in b.handled] == ["m1", "m2"]
    b.close()


def test_one_that_lasts_too_long_is_refused(b: StorePeer, clock: Clock) -> None:
    """It is made to last longer than a name is remembered."""
    now = int(1000 * clock.now)
    assert "lasts too long" in refused(b, sealed(head(clock, expires_ms=now + 3_600_001)))


def test_one_ahead_of_time_is_taken_once_the_clock_is_right(b: StorePeer, clock: Clock) -> None:
    """A machine without a clock of its own begins with that of its last day, for a moment."""
    now = int(1000 * clock.now)
    ahead = sealed(head(clock, sent_ms=now + 86_400_000, expires_ms=now + 86_460_000))
    receipt = b.incoming.take(ahead, HANDS, "a")
    assert receipt.status is EnvelopeStatus.LATER
    assert "86400 s ahead of this clock" in receipt.reason
    assert b.store.outbox.counts() == {}
    clock.now += 86_400.0
    assert b.incoming.take(ahead, HANDS, "a").status is EnvelopeStatus.STORED
    assert b.handlers.handle() == 1


def test_one_by_a_stranger_is_not_taken(b: StorePeer, clock: Clock) -> None:
    """But may be later: this peer may not have heard of its sender yet."""
    receipt = b.incoming.take(sealed(head(clock, sender="z")), HANDS, "a")
    assert receipt.status is EnvelopeStatus.LATER
    assert "'z' isn't known here as a peer of the mesh (yet)" in receipt.reason


def test_one_in_a_circle_is_refused(b: StorePeer, clock: Clock) -> None:
    """Through too many hands, or back at its sender."""
    content = sealed(head(clock, receiver="c"), to=KEYS["c"])
    assert "through too many hands" in refused(b, content, 0)
    own = sealed(head(clock, sender="b", receiver="c"), by=KEYS["b"], to=KEYS["c"])
    assert "or in a circle" in refused(b, own)


def test_one_for_another_is_kept_within_its_sender_s_share(b: StorePeer, clock: Clock) -> None:
    """Who sends much keeps others' messages from nobody."""
    for_c = [
        sealed(head(clock, receiver="c", message_id=f"m{n}"), bytes(600), to=KEYS["c"])
        for n in range(4)
    ]
    receipts = [b.incoming.take(content, HANDS, "a") for content in for_c]
    assert [receipt.status for receipt in receipts] == ["stored", "stored", "later", "later"]
    assert "bytes from 'a' wait here to be passed on; wanted at most 2000" in receipts[2].reason
    assert b.incoming.take(for_c[0], HANDS, "a").status is EnvelopeStatus.LATER
    for_a = sealed(head(clock, sender="c", receiver="a"), bytes(600), by=KEYS["c"], to=KEYS["a"])
    assert b.incoming.take(for_a, HANDS, "c").status is EnvelopeStatus.STORED


def test_one_for_nobody_known_is_not_kept(b: StorePeer, clock: Clock) -> None:
    """Nor refused: its receiver may have joined a moment ago."""
    content = sealed(head(clock, receiver="z"), to=KEYS["c"])
    assert b.incoming.take(content, HANDS, "a").status is EnvelopeStatus.LATER


def test_a_kill_between_message_and_name_loses_and_repeats_nothing(
    b: StorePeer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message is on disk, its name isn't noted: it is handled once it has come again."""

    def killed(*_: str, **__: object) -> bool:
        raise KeyboardInterrupt

    content = sealed(head(clock))
    monkeypatch.setattr(b.store.inbox, "take", killed)
    with pytest.raises(KeyboardInterrupt):
        b.incoming.take(content, HANDS, "a")
    monkeypatch.undo()
    b.close()
    b.open()
    assert b.handlers.handle() == 0
    assert b.incoming.take(content, HANDS, "a").status is EnvelopeStatus.STORED
    assert b.handlers.handle() == 1
    assert len(b.handled) == 1


def test_what_a_receipt_says_is_no_order_to_a_terminal() -> None:
    """It is another peer's text, and stands in logs and in files."""
    receipt = Receipt.of(b'["refused", "cold\\u001b[2J\\ud800"]')
    assert receipt.reason == r"cold\x1b[2J\ud800"


@pytest.mark.parametrize("content", [b"", b"[]", b'["lost", ""]', b"\xff", b"[" * 100_000])
def test_a_receipt_that_is_none_is_named(content: bytes) -> None:
    """It ends the connection that it came over."""
    with pytest.raises(FederationError, match="for a receipt"):
        Receipt.of(content)
