"""One client of a run whose answers outlive its process: each message has one effect and one reply.

A message that comes again, as its sender didn't hear of the reply, gets the same bytes and is
computed no second time. One that was in hand when the process was killed is answered from the state
before it: nothing of that had left the machine.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Protocol

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from glean.errors import ModelError
from glean.federation.grids.carried_grid import node_number
from glean.federation.grids.client_host import ClientHost, error_reply
from glean.federation.grids.client_store import ClientStore
from glean.federation.grids.inprocess import SERVER_NODE
from glean.federation.grids.message_codec import (
    decode_message,
    decode_records,
    encode_message,
    encode_record,
)
from glean.federation.grids.run_announcement import RunAnnouncement
from glean.settings import ConfigValue

LOG = logging.getLogger("glean")

UNREADABLE = b""
"""In place of a reply to what can't be read; the server makes an error reply of it."""


class HomeUndo(Protocol):
    """What of a client's home goes on with its state, and back with it."""

    def note(self) -> bytes | None:
        """Give what there is now."""

    def put_back(self, noted: bytes | None, *, run_id: int) -> None:
        """Put back what was noted, where a message of this run has changed it since."""


class NothingToUndo:
    """A client without a home."""

    def note(self) -> bytes | None:
        """Give nothing."""
        return None

    def put_back(self, noted: bytes | None, *, run_id: int) -> None:
        """Do nothing."""


class HostedClient:
    """Answers messages of one run.

    Parameters
    ----------
    client_app : ClientApp
        The app that plays the client.
    node_config : mapping
        The client's own.
    run : RunAnnouncement
        The run.
    store : ClientStore
        What outlives this process.
    name : str
        The client's name, by which its messages are known.
    undo : HomeUndo, optional
        What has to be put back after a kill; by default nothing.
    """

    def __init__(
        self,
        client_app: ClientApp,
        node_config: Mapping[str, ConfigValue],
        run: RunAnnouncement,
        store: ClientStore,
        *,
        name: str,
        undo: HomeUndo | None = None,
    ) -> None:
        self._app = client_app
        self._node_config = dict(node_config)
        self._run = run
        self._store = store
        self._node_id = node_number(name)
        self._undo = undo or NothingToUndo()
        self._host: ClientHost | None = None

    def answer(self, message_id: str, body: bytes) -> bytes:
        """Give the reply to a message, which is on disk then; `UNREADABLE` to what is none.

        Raises
        ------
        FederationError
            What has to be kept can't be; nothing may leave then.
        """
        known = self._store.reply(self._run.run_id, message_id)
        if known is not None:
            LOG.info("a message that was answered before has come again: the same reply is sent")
            return known
        try:
            message = decode_message(body)
            self._check(message, message_id)
        except ModelError as error:
            LOG.warning("a message of run %d can't be answered: %s", self._run.run_id, error)
            return UNREADABLE
        return self._answered(message_id, message)

    def refusal(self, body: bytes, reason: str) -> bytes:
        """Give an error reply to a message, without any app; nothing of it is kept."""
        try:
            return encode_message(error_reply(decode_message(body), reason, node_id=self._node_id))
        except ModelError:
            return UNREADABLE

    def _answered(self, message_id: str, message: Message) -> bytes:
        host = self._host or self._reopened()
        self._host = None  # in memory it may be ahead of the disk, until all of this is done
        self._store.begin(self._run.run_id, message_id, self._undo.note())
        reply = self._encoded(host.answer(message), message)
        state = host.context.state
        records = {name: encode_record(name, state) for name in state}
        self._store.commit(self._run.run_id, message_id, reply, records)
        self._host = host
        return reply

    def _encoded(self, reply: Message, message: Message) -> bytes:
        try:
            return encode_message(reply)
        except ModelError as error:
            return encode_message(error_reply(message, str(error), node_id=self._node_id))

    def _reopened(self) -> ClientHost:
        """Host the client as it was after its last reply."""
        left = self._store.interrupted()
        if left is not None:
            LOG.info("a message of run %d was in hand when its process ended", left.run_id)
            self._undo.put_back(left.undo, run_id=left.run_id)
            self._store.settle()
        context = Context(
            run_id=self._run.run_id,
            node_id=self._node_id,
            node_config=dict(self._node_config),
            state=decode_records(self._store.state(self._run.run_id)),
            run_config=dict(self._run.run_config),
        )
        return ClientHost.with_context(self._app, context)

    def _check(self, message: Message, message_id: str) -> None:
        told = message.metadata
        for name, found, wanted in (
            ("run", told.run_id, self._run.run_id),
            ("id", told.message_id, message_id),
            ("sender", told.src_node_id, SERVER_NODE),
            ("receiver", told.dst_node_id, self._node_id),
        ):
            if found != wanted:
                raise ModelError(f"its {name}: found {found}; wanted {wanted}")
