"""Flower's grid on a `Carrier`: the server sends and fetches messages, whatever carries them.

A member's node number follows from its name, so it is the same in every run and needs no list. What
a member sends that can't be read, or isn't an answer to what it was asked, becomes no model: it is
named in the log, and an error reply stands in its place where one is awaited.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from flwr.app import Error, Message, RecordDict

from glean.errors import FederationError, ModelError
from glean.federation.grids.carrier import Carrier, ReceivedReply
from glean.federation.grids.client_host import CLIENT_APP_RAISED
from glean.federation.grids.flower_internals import (
    lent_message,
    number_message,
)
from glean.federation.grids.inprocess import SERVER_NODE
from glean.federation.grids.message_codec import decode_message, encode_message
from glean.federation.grids.run_grid import RunGrid

LOG = logging.getLogger("glean")

LOOK_S = 0.2
"""How long a look for replies waits for the first, where none is there."""

SEND_AND_RECEIVE_S = 3600.0

MOST_UNFETCHED = 8
"""Replies of one member that nobody has fetched: those that came after their round was over."""

_DOMAIN = b"glean node"


def node_number(name: str) -> int:
    """Give a member's node number, above that of the server."""
    digest = hashlib.blake2b(name.encode(), digest_size=8, person=_DOMAIN).digest()
    return int.from_bytes(digest, "big") % (2**63 - SERVER_NODE - 1) + SERVER_NODE + 1


@dataclass(frozen=True)
class _Sent:
    """A message that awaits its reply; its content isn't kept."""

    member: str
    message: Message


class CarriedGrid(RunGrid):
    """Sends messages by a carrier.

    Parameters
    ----------
    carrier : Carrier
        What carries them.
    run_id : int
        The run.
    """

    nodes_from_start: bool | None = None

    def __init__(self, carrier: Carrier, *, run_id: int) -> None:
        self.engine = carrier.engine
        self._carrier = carrier
        super().__init__(run_id)
        self._members: dict[int, str] = {}
        self._awaited: dict[str, _Sent] = {}
        self._come: dict[str, Message] = {}
        self._unfetched: dict[str, deque[str]] = {}

    def get_node_ids(self) -> list[int]:
        """Numbers of the members that are present."""
        found = {node_number(name): name for name in self._carrier.present()}
        self._members |= found
        return list(found)

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Send; the ids of messages that were taken. The others are named in the log."""
        taken = []
        for message in messages:
            message_id = number_message(message)
            member = self._members.get(message.metadata.dst_node_id)
            if member is None:
                LOG.warning("node %d was never here: not sent to", message.metadata.dst_node_id)
                continue
            try:
                self._carrier.send(member, message_id, encode_message(message))
            except (FederationError, ModelError) as error:
                LOG.warning("nothing is sent to %s: %s", member, error)
                continue
            self._awaited[message_id] = _Sent(member, _bare(message))
            taken.append(message_id)
        return taken

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Fetch replies to these messages that have come; waits a moment where there is none."""
        wanted = list(message_ids)
        there = any(message_id in self._come for message_id in wanted)
        for received in self._carrier.receive(0.0 if there else LOOK_S):
            self._take(received)
        return [self._come.pop(i) for i in wanted if i in self._come]

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> list[Message]:
        """Send messages and return the replies that came before `timeout`."""
        awaited = set(self.push_messages(messages))
        deadline = time.monotonic() + (SEND_AND_RECEIVE_S if timeout is None else timeout)
        replies: list[Message] = []
        while awaited and time.monotonic() < deadline:
            found = self.pull_messages(awaited)
            awaited -= {reply.metadata.reply_to_message_id for reply in found}
            replies += found
        return replies

    def _take(self, received: ReceivedReply) -> None:
        """Put a reply to the message that it answers, if its sender was asked that."""
        sent = self._awaited.get(received.reply_to)
        if sent is None or sent.member != received.node:
            LOG.warning(
                "%s answered what it wasn't asked, or answered before (%s): left out",
                received.node,
                received.reply_to[:80],
            )
            return
        del self._awaited[received.reply_to]
        self._come[received.reply_to] = self._read(received, sent.message)
        unfetched = self._unfetched.setdefault(sent.member, deque())
        unfetched.append(received.reply_to)
        if len(unfetched) > MOST_UNFETCHED:
            gone = self._come.pop(unfetched.popleft(), None)
            if gone is not None:
                LOG.info("a late reply of %s, which nobody waited for, is let go", sent.member)

    def _read(self, received: ReceivedReply, asked: Message) -> Message:
        try:
            reply = decode_message(received.body)
            _check_fits(reply, asked)
        except ModelError as error:
            LOG.warning("a reply of %s can't be read: %s", received.node, error)
            return Message(Error(CLIENT_APP_RAISED, f"its reply: {error}"), reply_to=asked)
        return reply


def _bare(message: Message) -> Message:
    """Keep of a message what its reply is known by, and not its content."""
    return lent_message(message, RecordDict())


def _check_fits(reply: Message, asked: Message) -> None:
    told, wanted = reply.metadata, asked.metadata
    for name, found, right in (
        ("run", told.run_id, wanted.run_id),
        ("sender", told.src_node_id, wanted.dst_node_id),
        ("receiver", told.dst_node_id, wanted.src_node_id),
        ("message that it answers", told.reply_to_message_id, wanted.message_id),
    ):
        if found != right:
            raise ModelError(f"a reply, its {name}: found {found}; wanted {right}")
