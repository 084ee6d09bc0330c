"""The server's end: announces a run, asks clients, takes each answer once."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from dataclasses import dataclass

from glean.errors import FederationError
from glean.kafka.connection import Reading
from glean.kafka.endpoint import Endpoint, EndpointParts, came_again, ids_in
from glean.kafka.envelope import (
    ACKNOWLEDGEMENT,
    END,
    EVERYONE,
    HEARTBEAT,
    MESSAGE,
    REPLY,
    RUN,
    SERVER,
    Chunk,
    EnvelopeError,
    EnvelopeHead,
)
from glean.outbox.outbox import OutboxFullError
from glean.runs.run_number import run_number

ANNOUNCE_S = 1.0
PRESENT_S = 30.0
"""How long after a client's last heartbeat it counts as here, while the broker can be used.

As long as at a SuperLink: a node that was killed is back by then, also where a lot is going on.
"""

ROOM_LIMIT_S = 120.0
"""How long a message waits for room in the outbox."""

_TICK_S = 0.5
_SHORT_S = 2.0
_END_LIMIT_S = 5.0


@dataclass(frozen=True)
class Taken:
    """A reply that has come.

    Parameters
    ----------
    node : str
        Name of the member whom it comes from, proved by its signature.
    message_id : str
        The reply's own id.
    reply_to : str
        Id of the message that it answers.
    body : bytes
        The reply.
    """

    node: str
    message_id: str
    reply_to: str
    body: bytes


class KafkaCarrier(Endpoint):
    """Carries one run's messages to its clients and back.

    Parameters
    ----------
    parts : EndpointParts
        What it is made of; the keys are the members'.
    """

    engine = "kafka"

    def __init__(self, parts: EndpointParts) -> None:
        topics = parts.topics
        super().__init__(
            parts,
            name=SERVER,
            reading=Reading(
                topics.group(SERVER),
                lambda sizes: [
                    (name, partition)
                    for name in (topics.updates, topics.heartbeats)
                    for partition in range(sizes[name])
                ],
            ),
            kinds={
                topics.updates: frozenset({REPLY}),
                topics.heartbeats: frozenset({HEARTBEAT}),
            },
            makes_topics=True,
        )
        # Of an earlier process: nobody awaits answers to what it asked.
        while waiting := self._outbox.waiting():
            for message in waiting:
                self._outbox.acknowledge(message.message_id)
        self._run_id, self._announced = 0, b""
        self._announce_at = self._tick_at = 0.0
        self._asked: dict[str, str] = {}
        self._heard: dict[str, tuple[float, int]] = {}
        self._in_hand: dict[str, frozenset[str]] = {}
        self._alive_at = 0.0
        self._replies: deque[Taken] = deque()
        self._reply_bytes = 0
        self._no_room = 0
        self._changed = threading.Condition(self._lock)
        self.begin()

    def announce(self, run: bytes) -> None:
        """Tell all clients of a run, those that come later too, until `end`."""
        with self._lock:
            self._run_id, self._announced, self._announce_at = run_number(run), run, 0.0

    def present(self) -> list[str]:
        """Names of members whose heartbeat was heard of late; while the broker is away, before."""
        self._check_failure()
        with self._lock:
            since = self._alive_at - PRESENT_S
            return sorted(name for name, (at, _) in self._heard.items() if at >= since)

    def send(self, node: str, message_id: str, body: bytes) -> None:
        """Send a message; on disk when this returns. Waits while the outbox is full.

        Raises
        ------
        FederationError
            It is still full after a while, or the topics can't be read any more.
        """
        self._check_failure()
        if not self._parts.keys.knows(node):
            raise FederationError(f"{node!r:.80} is no member; wanted one of those in members.json")
        head = self._outgoing.head(MESSAGE, node, self._run_id, body, message_id=message_id)
        with self._lock:
            self._asked[message_id] = node
        deadline = time.monotonic() + ROOM_LIMIT_S
        while True:
            try:
                self._outgoing.keep_and_send(head, body)
            except OutboxFullError:
                if time.monotonic() > deadline:
                    with self._lock:
                        self._asked.pop(message_id, None)
                    raise
            else:
                return
            with self._changed:
                self._no_room += 1
                self._changed.wait(_TICK_S)
                self._no_room -= 1
            self._check_failure()

    def receive(self, timeout_s: float) -> list[Taken]:
        """Give what has come: proved, checked, each once; waits so long for the first."""
        with self._changed:
            self._changed.wait_for(lambda: self._replies or self._failure, timeout_s)
            found = list(self._replies)
            self._replies.clear()
            self._reply_bytes = 0
        if not found:
            self._check_failure()
        return found

    def end(self, reason: str) -> None:
        """Tell all clients that the run is over, and send nothing of it any more."""
        with self._lock:
            run, self._announced = self._run_id, b""
            self._asked.clear()
        for message in self._outbox.waiting():
            self._outbox.acknowledge(message.message_id)
        body = reason.encode(errors="replace")[:1000]
        self._outgoing.try_to_send(self._outgoing.head(END, EVERYONE, run, body), body)
        self._connection.flush(_END_LIMIT_S)

    def _place_of(self, head: EnvelopeHead) -> tuple[str, str]:
        topics = self._parts.topics
        return (topics.runs if head.receiver == EVERYONE else topics.models), head.receiver

    def _check(self, chunk: Chunk) -> None:
        head = chunk.head
        if head.run != self._run_id:
            raise EnvelopeError(
                "other run", f"{head.kind} of {head.sender!r:.80} is of another run"
            )
        if head.kind == HEARTBEAT:
            if head.sequence <= self._heard.get(head.sender, (0.0, 0))[1]:
                raise EnvelopeError("older than what was heard", f"a heartbeat of {head.sender!r}")
        elif head.kind == REPLY:
            if self._inbox.seen(head.sender, head.message_id):
                if chunk.index == 0:
                    self._acknowledge(head)  # the acknowledgement was lost, or is on its way
                raise came_again(head)
            if self._asked.get(head.reply_to) != head.sender:
                raise EnvelopeError(
                    "answers nothing that was asked",
                    f"{head.sender!r:.80} wasn't asked {head.reply_to!r:.80}",
                )

    def _take(self, head: EnvelopeHead, body: bytes) -> None:
        if head.kind == HEARTBEAT:
            with self._lock:
                self._heard[head.sender] = time.monotonic(), head.sequence
                self._in_hand[head.sender] = frozenset(
                    i for i in ids_in(body) if self._asked.get(i) == head.sender
                )
        elif head.kind == REPLY and self._inbox.take(head.sender, head.message_id):
            with self._changed:
                self._asked.pop(head.reply_to, None)
                self._replies.append(Taken(head.sender, head.message_id, head.reply_to, body))
                self._reply_bytes += len(body)
                self._changed.notify_all()
            self._outbox.acknowledge(head.reply_to)
            self._acknowledge(head)

    def _acknowledge(self, head: EnvelopeHead) -> None:
        body = json.dumps([head.message_id]).encode()
        self._outgoing.try_to_send(
            self._outgoing.head(ACKNOWLEDGEMENT, head.sender, head.run, body), body
        )

    def _tick(self) -> None:
        now = time.monotonic()
        with self._lock:
            announced, run = self._announced, self._run_id
            # Only answers make room for what is still to be sent.
            full = self._reply_bytes > self._parts.most_bytes // 4 and not self._no_room
        self._connection.pause(self._parts.topics.updates, yes=full)
        if not self._heard or not announced:
            self._connection.hush()
        if announced and self._connection.is_open and now >= self._announce_at:
            self._announce_at = now + ANNOUNCE_S
            self._outgoing.try_to_send(
                self._outgoing.head(RUN, EVERYONE, run, announced), announced
            )
        if now < self._tick_at:
            return
        self._tick_at = now + _TICK_S
        if self._connection.is_open:
            self._note_alive(now)
            self._connection.commit()
        with self._lock:
            in_hand = frozenset().union(*self._in_hand.values())
        self._outgoing.send_again(unwanted=in_hand)

    def _note_alive(self, now: float) -> None:
        """Note that the broker can be used; while it couldn't, nobody could be heard."""
        away = now - self._alive_at if self._alive_at else 0.0
        self._alive_at = now
        if away > _SHORT_S:
            with self._lock:
                self._heard = {
                    name: (at + away, sequence) for name, (at, sequence) in self._heard.items()
                }
