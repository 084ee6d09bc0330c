"""Envelopes by the thousand that aren't what they should be: none is taken, each is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from glean.mesh.incoming import EnvelopeStatus, Receipt
from glean.privacy import sealed_envelope
from glean.privacy.peer_identity import PeerIdentity
from glean.privacy.sealed_envelope import MARK, EnvelopeHead, SealedEnvelope, seal
from tests.mesh.message_stores import KEYS, Clock, StorePeer, directories

WAYS = {"a": "b", "b": "ac", "c": "b"}
STRANGER = PeerIdentity.new()
KINDS = ("changed", "cut", "noise", "forged", "re-signed", "foreign", "stale", "replayed")


class Attacker:
    """Makes bad envelopes for b out of good ones."""

    def __init__(self, clock: Clock, seed: int) -> None:
        self.draw = np.random.default_rng(seed)
        self.clock = clock
        self.heard: list[bytes] = []

    def good(self, number: int, *, by: PeerIdentity = KEYS["a"], **changes: str) -> bytes:
        """An envelope as a makes it, but for some changes."""
        now = int(1000 * self.clock.now)
        head = EnvelopeHead("four mills", "a", "b", f"m{number}", now, now + 60_000)
        head = replace(head, **changes)  # type: ignore[arg-type] # texts alone
        body = self.draw.bytes(int(self.draw.integers(0, 200)))
        return seal(head, "plan", body, sender=by, receiver=KEYS["b"].public).to_bytes()

    def bad(self, kind: str, number: int) -> bytes:
        """A bad one of a kind."""
        match kind:
            case "changed":
                content = bytearray(self.good(number))
                content[self.draw.integers(len(content))] ^= 1 << int(self.draw.integers(8))
                return bytes(content)
            case "cut":
                content = bytearray(self.good(number))
                return bytes(content[: self.draw.integers(len(content))])
            case "noise":
                mark = MARK if self.draw.random() < 0.5 else b""
                return mark + self.draw.bytes(int(self.draw.integers(0, 300)))
            case "forged":
                return self.good(number, by=KEYS["c"])
            case "re-signed":
                return self._re_signed(number)
            case "foreign":
                return self.good(number, by=STRANGER, mesh="five mills")
            case "stale":
                self.clock.now -= 8 * 86_400.0
                content = bytearray(self.good(number))
                self.clock.now += 8 * 86_400.0
                return bytes(content)
            case _:
                return self.heard[self.draw.integers(len(self.heard))]

    def _re_signed(self, number: int) -> bytes:
        """C signs what a sealed as its own."""
        theirs = SealedEnvelope.of(self.good(number))
        mine = SealedEnvelope.of(self.good(number, by=KEYS["c"], sender="c"))
        statement = sealed_envelope._statement(mine.head_bytes, theirs.contents)
        signature = KEYS["c"].sign(statement)
        return replace(mine, contents=theirs.contents, signature=signature).to_bytes()


@pytest.mark.parametrize("count", [240, pytest.param(10_000, marks=pytest.mark.long)])
def test_none_is_taken_and_each_is_named(tmp_path: Path, count: int) -> None:
    """Among good ones, of which each is handled once, as if nothing else had come."""
    clock = Clock()
    b = StorePeer(tmp_path, directories(WAYS)["b"], clock=clock)
    attacker = Attacker(clock, seed=count)
    named = 0
    try:
        for number in range(count):
            if number % 20 == 0:
                attacker.heard.append(attacker.good(number))
                assert b.incoming.take(attacker.heard[-1], 3, "a") == Receipt(EnvelopeStatus.STORED)
            kind = KINDS[number % len(KINDS)]
            receipt = b.incoming.take(attacker.bad(kind, number), 3, "c")
            if kind == "replayed":
                assert receipt.status is EnvelopeStatus.STORED
            else:
                # A changed bit may make a name of it that nobody has yet.
                unknown = kind == "changed" and "isn't known here" in receipt.reason
                assert receipt.reason
                assert (receipt.status is EnvelopeStatus.REFUSED) != unknown, (kind, receipt)
                named += 1
        b.handlers.handle()
        assert [m.message_id for m in b.handled] == [f"m{n}" for n in range(0, count, 20)]
        assert b.store.relayed.waiting() == []
        assert named == count * 7 // 8
    finally:
        b.close()
