"""Requests that nobody waits for: each is answered when its client is done with it, or never.

The server goes on meanwhile, and looks now and then what has come. Every request has a deadline of
its own. Whoever has one open isn't to be asked anything else: its node may do one thing at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from flwr.app import Message, RecordDict

from glean.federation.coordination.availability import Availability
from glean.federation.coordination.client_registry import Clock
from glean.federation.coordination.grid_messenger import GridMessenger
from glean.federation.wire.flower_errors import reason_of_reply

GRACE_S = 2.0
"""How long a reply of a node that has gone may still be on its way."""

GONE = "its node is gone: ended, switched off or without a network"


@dataclass(frozen=True)
class Arrivals:
    """What a look found.

    Parameters
    ----------
    replies : dict of str to RecordDict
        By client, what it answered.
    lost : dict of str to str
        By client, why it won't answer any more.
    """

    replies: dict[str, RecordDict] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Open:
    client: str
    node: int
    sent_s: float
    kind: str


class OpenRequests:
    """Sends requests, and finds out what became of them.

    Parameters
    ----------
    messenger : GridMessenger
        The way to nodes.
    availability : Availability
        Who is there.
    timeout_s : float
        How long a client may take for its answer, seconds.
    clock : callable
        The time in seconds.
    """

    def __init__(
        self,
        messenger: GridMessenger,
        availability: Availability,
        *,
        timeout_s: float,
        clock: Clock,
    ) -> None:
        self._messenger = messenger
        self._availability = availability
        self._registry = availability.registry
        self._timeout_s = timeout_s
        self._clock = clock
        self._open: dict[str, _Open] = {}
        self._unsent: dict[str, str] = {}

    def send(self, kind: str, records: Mapping[str, RecordDict], *, round_number: int) -> None:
        """Send clients their records; who can't be sent to is lost at the next look."""
        names = {self._registry.node(name): name for name in sorted(records)}
        by_node = {node: records[name] for node, name in names.items()}
        sent = self._messenger.send(kind, by_node, round_number=round_number)
        now = self._clock()
        unsent = (names[node] for node in names.keys() - {*sent.values()})
        self._unsent |= dict.fromkeys(unsent, "its node can't be sent to")
        self._open |= {m: _Open(names[node], node, now, kind) for m, node in sent.items()}

    def look(self, round_number: int) -> Arrivals:
        """Take the replies that have come, and name those that won't; waits for nothing."""
        found = Arrivals(lost=self._unsent)
        self._unsent = {}
        for message, reply in self._messenger.fetch(self._open).items():
            self._take(self._open.pop(message), reply, found, round_number)
        self._availability.poll(round_number, at_once=False)
        for message, one in [*self._open.items()]:
            if reason := self._why_lost(one):
                del self._open[message]
                found.lost[one.client] = reason
                if one.client in self._registry.present and one.node == self._node(one):
                    self._availability.mark_missing(one.client, round_number)
        return found

    def _take(self, one: _Open, reply: Message, found: Arrivals, round_number: int) -> None:
        if reply.metadata.src_node_id == one.node:
            self._registry.touch(one.client)
        else:
            # The SuperLink speaks for a node that is gone.
            self._availability.poll(round_number)
        if not reply.has_error():
            found.replies[one.client] = reply.content
        elif self._registry.is_gone(one.client) or self._node(one) != one.node:
            found.lost[one.client] = GONE
        else:
            found.lost[one.client] = reason_of_reply(reply.error.reason or "")

    def _why_lost(self, one: _Open) -> str:
        """Say why a reply won't come any more; "" where it may."""
        if self._registry.gone_s(one.client) > GRACE_S or self._node(one) != one.node:
            return GONE
        if self._clock() - one.sent_s > self._timeout_s:
            return f"no reply to {one.kind!r} within {self._timeout_s:.0f} s"
        return ""

    def _node(self, one: _Open) -> int:
        return self._registry.node(one.client)
