"""What wasn't taken, and why: counted, told in the log, written to a topic without its content."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from glean.kafka.consumer import Record
from glean.kafka.envelope import EnvelopeError, EnvelopeHead, read_head

LOG = logging.getLogger("glean")

CAME_AGAIN = "came again"

_MOST_A_SECOND = 200
"""Written to the topic; what comes above that is counted only, so that nobody floods it."""

_LOG_EVERY_S = 10.0
_LONGEST = 100


@dataclass(frozen=True)
class DeadLetter:
    """A record or a message that wasn't taken.

    Parameters
    ----------
    reason : str
        Why, in the words by which such are counted.
    text : str
        The same as a sentence.
    topic : str
        Where it was; "" for a message of the own outbox that expired.
    partition, offset : int
        Likewise; -1 there.
    size : int
        Bytes of it.
    digest : str
        BLAKE2b of it.
    claims : dict
        Who it says that it is from, what kind, and which message; nothing of that is proved.
    """

    reason: str
    text: str
    topic: str
    partition: int
    offset: int
    size: int
    digest: str
    claims: dict[str, str]

    def to_bytes(self, noted_by: str) -> bytes:
        """Write it."""
        content = {**vars(self), "noted_by": noted_by or "server", "noted_at": time.time()}
        return json.dumps(content, sort_keys=True).encode()


class DeadLetters:
    """Counts, tells and writes them.

    Parameters
    ----------
    write : callable
        Sends one to the topic of dead letters, as well as it goes.
    clock : callable
        Seconds that only go up.
    """

    def __init__(
        self, write: Callable[[DeadLetter], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write, self._clock = write, clock
        self._second, self._in_second = 0, 0
        self._logged: dict[str, float] = {}
        self.counts: Counter[str] = Counter()

    def refuse(self, record: Record, error: EnvelopeError) -> None:
        """Note a record."""
        digest = hashlib.blake2b(record.value, digest_size=16).hexdigest()
        place = record.topic, record.partition, record.offset, len(record.value)
        self._note(DeadLetter(error.reason, str(error), *place, digest, _claims(record.value)))

    def give_up(self, head: EnvelopeHead, error: EnvelopeError) -> None:
        """Note a message of which only some chunks came, or that nobody acknowledged in time."""
        place = "", -1, -1, head.size
        self._note(DeadLetter(error.reason, str(error), *place, head.digest, _said(head)))

    def _note(self, dead: DeadLetter) -> None:
        self.counts[dead.reason] += 1
        self._tell(dead)
        second = int(self._clock())
        self._in_second = self._in_second + 1 if second == self._second else 1
        self._second = second
        if self._in_second <= _MOST_A_SECOND:
            self._write(dead)

    def _tell(self, dead: DeadLetter) -> None:
        where = f"{dead.topic}, partition {dead.partition}, offset {dead.offset}"
        said = f"not taken ({dead.reason}): {dead.text} [{where if dead.topic else 'outbox'}]"
        now = self._clock()
        if dead.reason == CAME_AGAIN or now < self._logged.get(dead.reason, now):
            LOG.debug(said)  # what is sent again until it is acknowledged may well come twice
            return
        self._logged[dead.reason] = now + _LOG_EVERY_S
        LOG.warning("%s; %d such so far", said, self.counts[dead.reason])


def _claims(record: bytes) -> dict[str, str]:
    try:
        return _said(read_head(record))
    except EnvelopeError:
        return {}


def _said(head: EnvelopeHead) -> dict[str, str]:
    names = ("sender", "receiver", "kind", "message_id")
    return {name: str(getattr(head, name))[:_LONGEST] for name in names} | {"run": str(head.run)}
