"""Messages as they go to a broker, and as they are read from one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from glean.broker.topology import DEAD, EVENTS, MOST_PRIORITY, RUNS
from glean.errors import FederationError

_LONGEST_KEY = 255
"""Bytes of a routing key in AMQP."""


class UnreadableMessageError(FederationError):
    """A message is none of Glean's; says what was found and what was wanted."""


@dataclass(frozen=True)
class OutgoingMessage:
    """A message and where it goes.

    Parameters
    ----------
    exchange, routing_key : str
        Where to.
    message_id : str
        What it is about: the same message sent again has the same.
    body : bytes
        JSON.
    priority : int
        0 to 9; higher ones are taken first.
    headers : mapping of str to str or int
        What consumers read without opening the body.
    must_arrive : bool
        Whether there has to be a queue for it: of events nobody may want any.
    """

    exchange: str
    routing_key: str
    message_id: str
    body: bytes
    priority: int = 0
    headers: Mapping[str, str | int] = field(default_factory=dict)
    must_arrive: bool = True


@dataclass(frozen=True)
class RunMessage:
    """What a worker is told: a run waits, look for it in the database.

    Parameters
    ----------
    run_id : str
        The run.
    attempt : int
        How often it had been begun when this was sent.
    """

    run_id: str
    attempt: int

    @classmethod
    def read(cls, body: bytes) -> RunMessage:
        """Read the body of a message.

        Raises
        ------
        UnreadableMessageError
            Says what was found in it.

        Examples
        --------
        >>> RunMessage.read(b'{"run": "r1", "attempt": 0}')
        RunMessage(run_id='r1', attempt=0)
        """
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            raise _unreadable("no JSON") from None
        if not isinstance(found, dict):
            raise _unreadable(type(found).__name__)
        run_id, attempt = found.get("run"), found.get("attempt")
        if not isinstance(run_id, str) or not _is_text(run_id):
            raise _unreadable("no run")
        if not isinstance(attempt, int) or isinstance(attempt, bool) or attempt < 0:
            raise _unreadable("no attempt")
        return cls(run_id, attempt)

    def to_outgoing(self, *, priority: int = 0) -> OutgoingMessage:
        """Write it; a priority beyond what the queue knows counts as its highest or lowest."""
        priority = max(0, min(priority, MOST_PRIORITY))
        return OutgoingMessage(RUNS, RUNS, self._id, self._body, priority=priority)

    def to_dead_message(self, reason: str) -> OutgoingMessage:
        """Write that nobody could do the run."""
        return dead_message(self._body, reason, message_id=self._id)

    @property
    def _id(self) -> str:
        return f"{self.run_id}/{self.attempt}"

    @property
    def _body(self) -> bytes:
        return json.dumps({"run": self.run_id, "attempt": self.attempt}).encode()


def event_message(run_id: str, number: int, content: Mapping[str, Any]) -> OutgoingMessage:
    """Write what happened in a run.

    Parameters
    ----------
    run_id : str
        The run.
    number : int
        Of the event in the run: later ones have higher numbers, and none has another's.
    content : mapping
        The event's row of `events.jsonl`.
    """
    kind = str(content.get("event") or "unknown")
    body = json.dumps({**content, "run": run_id, "number": number})
    key = f"glean.run.{run_id}.{kind}".encode()[:_LONGEST_KEY].decode(errors="ignore")
    return OutgoingMessage(
        EVENTS,
        key,
        f"{run_id}/{number}",
        body.encode(),
        headers={"event_number": number},
        must_arrive=False,
    )


def dead_message(body: bytes, reason: str, *, message_id: str = "") -> OutgoingMessage:
    """Write what couldn't be done, and why."""
    return OutgoingMessage(DEAD, RUNS, message_id, body, headers={"reason": reason})


def _is_text(run_id: str) -> bool:
    """Whether a database can be asked for it: JSON may hold half of a character."""
    try:
        return run_id.encode() != b""
    except UnicodeEncodeError:
        return False


def _unreadable(found: str) -> UnreadableMessageError:
    return UnreadableMessageError(
        f'found {found} in a message of {RUNS}; wanted {{"run": ID, "attempt": NUMBER}}'
    )
