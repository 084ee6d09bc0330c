"""A client's end: hears of runs, is asked, answers; what isn't answered comes again."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass

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
from glean.kafka.topics import partition_of
from glean.outbox.outbox import OutboxFullError

SILENCE_S = 30.0
"""A run of which nothing is heard for so long, while the broker can be used, is over."""

ARRIVING_S = 5.0
"""A message of which no chunk has come for so long is sent again: the rest may be lost."""

CLOCK_SET_BACK_S = 600.0
"""An announcement of a further run that is older by more than this than another one isn't taken."""

HEARTBEAT_S = 2.0
AGAIN_S = 2.0
"""After how long a message that was given out and not answered is given out again."""

_TICK_S = 0.2
_ENDED_RUNS = 1000

Asked = tuple[int, str, bytes]


@dataclass
class _Run:
    body: bytes
    sequence: int
    heard_at: float


@dataclass
class _InHand:
    run: int
    body: bytes
    came_at: float
    given_at: float = 0.0


class KafkaClientCarrier(Endpoint):
    """Carries messages to one client, and its answers.

    Parameters
    ----------
    parts : EndpointParts
        What it is made of; the keys are the server's, under the name "".
    name : str
        The member's name.
    """

    engine = "kafka"

    def __init__(self, parts: EndpointParts, name: str) -> None:
        topics = parts.topics
        self._runs: dict[int, _Run] = {}
        self._ended: dict[int, None] = {}
        self._newest = 0
        self._hand: dict[str, _InHand] = {}
        self._no_room = False
        self._beat_at = self._tick_at = 0.0
        self._alive_at = 0.0
        super().__init__(
            parts,
            name=name,
            reading=Reading(
                topics.group(name),
                lambda sizes: [
                    (topics.runs, partition_of(EVERYONE, sizes[topics.runs])),
                    (topics.models, partition_of(name, sizes[topics.models])),
                ],
                kept=(topics.models,),
            ),
            kinds={
                topics.runs: frozenset({RUN, END}),
                topics.models: frozenset({MESSAGE, ACKNOWLEDGEMENT}),
            },
            shared=frozenset({topics.models}),
            makes_topics=False,
        )
        self._changed = threading.Condition(self._lock)
        self.begin()

    def runs(self) -> list[bytes]:
        """Announcements of the runs that go on, each as the server wrote it."""
        self._check_failure()
        with self._lock:
            return [run.body for run in self._runs.values()]

    def receive(self, timeout_s: float) -> list[Asked]:
        """Give messages that have come and aren't answered; waits so long for the first."""
        with self._changed:
            self._changed.wait_for(lambda: self._due() or self._failure, timeout_s)
            found = self._due()
            now = time.monotonic()
            for message_id in found:
                self._hand[message_id].given_at = now
            asked = [(self._hand[i].run, i, self._hand[i].body) for i in found]
        if not asked:
            self._check_failure()
        return asked

    def reply(self, run_id: int, message_id: str, body: bytes) -> None:
        """Send a reply; on disk when this returns.

        Raises
        ------
        FederationError
            The outbox is full; the message is given out again later.
        """
        self._check_failure()
        head = self._outgoing.head(
            REPLY, SERVER, run_id, body, message_id=f"{message_id}.reply", reply_to=message_id
        )
        # First the answer, then that there is one: killed in between, the message comes again.
        try:
            self._outgoing.keep_and_send(head, body)
        except OutboxFullError:
            self._no_room = True
            raise
        self._no_room = False
        self._inbox.take(SERVER, message_id)
        with self._lock:
            self._hand.pop(message_id, None)

    def heartbeat(self) -> None:
        """Say in each run that goes on that this client is here, and what it has in hand."""
        with self._lock:
            self._beat_at = time.monotonic() + HEARTBEAT_S
            runs = list(self._runs)
            arriving = self._assembler.arriving(ARRIVING_S)
            in_hand = {run: [i for i, m in self._hand.items() if m.run == run] for run in runs}
        for run in runs:
            body = json.dumps(in_hand[run] + arriving).encode()
            self._outgoing.try_to_send(self._outgoing.head(HEARTBEAT, SERVER, run, body), body)

    def _due(self) -> list[str]:
        before = time.monotonic() - AGAIN_S
        return [
            message_id
            for message_id, message in self._hand.items()
            if message.run in self._runs and (not message.given_at or message.given_at < before)
        ]

    def _place_of(self, head: EnvelopeHead) -> tuple[str, str]:
        topics = self._parts.topics
        return (topics.heartbeats if head.kind == HEARTBEAT else topics.updates), self._name

    def _check(self, chunk: Chunk) -> None:
        head = chunk.head
        if head.run in self._ended and head.kind != ACKNOWLEDGEMENT:
            raise EnvelopeError("other run", f"{head.kind} of a run that is over")
        if head.kind in (RUN, END):
            known = self._runs.get(head.run)
            # Numbers are the nanoseconds of the server's clock.
            least = self._newest - int(CLOCK_SET_BACK_S * 1e9)
            if head.sequence <= (least if known is None else known.sequence):
                raise EnvelopeError("older than what was heard", f"{head.kind} of run {head.run}")
        elif head.kind == MESSAGE and (
            # In hand, or answered: that goes again by itself until the server has it.
            head.message_id in self._hand or self._inbox.seen(SERVER, head.message_id)
        ):
            raise came_again(head)

    def _take(self, head: EnvelopeHead, body: bytes) -> None:
        if head.kind in (RUN, END):
            self._newest = max(self._newest, head.sequence)
        match head.kind:
            case "run":
                with self._changed:
                    new = head.run not in self._runs
                    self._runs[head.run] = _Run(body, head.sequence, time.monotonic())
                    self._changed.notify_all()
                if new:
                    self.heartbeat()
            case "end":
                self._end(head.run)
            case "message":
                with self._changed:
                    self._hand[head.message_id] = _InHand(head.run, body, time.monotonic())
                    self._changed.notify_all()
                self.heartbeat()
            case "acknowledgement":
                for message_id in ids_in(body):
                    self._outbox.acknowledge(message_id)

    def _end(self, run: int) -> None:
        """Forget a run that is over, and what isn't acknowledged of it."""
        self._ended[run] = None
        if len(self._ended) > _ENDED_RUNS:
            self._ended.pop(next(iter(self._ended)))
        self._forget(run)
        for message in self._outbox.waiting():
            if message.origin == str(run):
                self._outbox.acknowledge(message.message_id)

    def _forget(self, run: int) -> None:
        """Forget a run; if it isn't over, the server asks again what isn't answered."""
        with self._changed:
            self._runs.pop(run, None)
            for message_id in [i for i, m in self._hand.items() if m.run == run]:
                del self._hand[message_id]
            self._changed.notify_all()
        self._assembler.forget(run)

    def _let_go_of_silent_runs(self, now: float) -> None:
        """Forget runs of which nothing was heard for a while, and what was asked of such."""
        with self._lock:
            silent = {n for n, r in self._runs.items() if r.heard_at < now - SILENCE_S}
            silent |= {
                message.run
                for message in self._hand.values()
                if message.run not in self._runs and message.came_at < now - SILENCE_S
            }
        for run_id in silent:
            self._forget(run_id)

    def _tick(self) -> None:
        now = time.monotonic()
        if now < self._tick_at:
            return
        self._tick_at = now + _TICK_S
        if self._connection.is_open:
            # While the broker is away nothing can be heard, so silence says nothing.
            away = now - self._alive_at if self._alive_at else 0.0
            self._alive_at = now
            with self._lock:
                for run in self._runs.values():
                    run.heard_at += away if away > 1.0 else 0.0
            self._let_go_of_silent_runs(now)
        if not self._runs:
            self._connection.hush()
        elif now >= self._beat_at:
            self.heartbeat()
        with self._lock:
            held = sum(len(message.body) for message in self._hand.values())
        # Acknowledgements come by the same topic: without them there never is room again.
        full = held > self._parts.most_bytes // 4 and not self._no_room
        self._connection.pause(self._parts.topics.models, yes=full)
        if not self._hand and not self._assembler.waiting:
            self._connection.commit()
        self._outgoing.send_again(of=frozenset(map(str, self._runs)))
