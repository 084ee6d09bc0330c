"""One client of a run, as a grid hosts it: a ClientApp that is called for each message.

What a further grid needs. Its file has a `Grid` for the server, which sends messages and fetches
replies over whatever carries them, and, where the client is, one `ClientHost` a client, whose
`answer` makes the reply to a message. A process of the client's own works as well as the server's.
The grid gives each message an id with `flower_internals.number_message` before it travels, says
its `engine` and, if it knows, `nodes_from_start` (see `engine`). `inprocess` is the smallest
example; `tests/federation/grids/test_further_grid.py` has one over queues and a thread.

Whoever hosts several clients in one process hosts them one after the other, and the server in that
process makes no message meanwhile: Flower has one identity for the whole process.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from flwr.app import Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp

from glean.federation.grids.flower_internals import identity, lent_message
from glean.federation.grids.lent_records import LentRecords
from glean.settings import ConfigValue

CLIENT_APP_RAISED = 2
"""Code of an `Error` reply that tells of an exception in a ClientApp."""

_ONE_AT_A_TIME = threading.Lock()


class ClientHost:
    """Answers messages with a ClientApp, as Flower's SuperNode does.

    Parameters
    ----------
    client_app : ClientApp
        The app that plays the client.
    run_id, node_id : int
        The run, and the client's node in it.
    node_config, run_config : mapping
        What the client sees of both.

    Attributes
    ----------
    context : Context
        The client's context, kept from message to message.
    """

    def __init__(
        self,
        client_app: ClientApp,
        *,
        run_id: int,
        node_id: int,
        node_config: Mapping[str, ConfigValue],
        run_config: Mapping[str, ConfigValue],
    ) -> None:
        self._app = client_app
        self.context = Context(
            run_id=run_id,
            node_id=node_id,
            node_config=dict(node_config),
            state=RecordDict(),
            run_config=dict(run_config),
        )

    @classmethod
    def with_context(cls, client_app: ClientApp, context: Context) -> ClientHost:
        """Host a client in a further process, as it was in the one before."""
        host = cls(
            client_app,
            run_id=context.run_id,
            node_id=context.node_id,
            node_config=context.node_config,
            run_config=context.run_config,
        )
        host.context = context
        return host

    def plain_context(self) -> Context:
        """Give the client's context for another process."""
        context = _lent(self.context)
        context.state = LentRecords(context.state).copy()
        return context

    def answer(self, message: Message) -> Message:
        """Have the app answer; what it raises becomes an error reply.

        The app may write into the message and its context: the sender doesn't see that, nor does a
        later call what one that failed has written. A reply shares nothing with the kept state.

        Raises
        ------
        FederationError
            Another run is at work in this process.
        """
        context = _lent(self.context)
        incoming = lent_message(message, LentRecords(message.content))
        with _ONE_AT_A_TIME, identity(context.run_id, context.node_id):
            try:
                reply = self._app(message=incoming, context=context)
            except Exception as error:  # noqa: BLE001 - whatever the app raises becomes its reply
                return _error(message, f"{type(error).__name__}: {error}")
        self.context = context
        if reply.has_content():
            # Plain, since Flower writes the name of a record's class onto the wire.
            reply.content = LentRecords(reply.content).copy()
        return reply


def error_reply(message: Message, reason: str, *, node_id: int) -> Message:
    """Answer a message with an error, without any app.

    Raises
    ------
    FederationError
        Another run is at work in this process.
    """
    with _ONE_AT_A_TIME, identity(message.metadata.run_id, node_id):
        return _error(message, reason)


def _error(message: Message, reason: str) -> Message:
    return Message(Error(CLIENT_APP_RAISED, reason), reply_to=message)


def _lent(context: Context) -> Context:
    """Lend what a ClientApp may change; the values of both configs are plain."""
    return Context(
        run_id=context.run_id,
        node_id=context.node_id,
        node_config=dict(context.node_config),
        state=LentRecords(context.state),
        run_config=dict(context.run_config),
    )
