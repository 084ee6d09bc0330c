"""A grid in this process: the same ServerApp and ClientApp, without Ray and without a SuperLink.

Flower has no public way to do two things that a `Grid` needs: to say which run and node a message
belongs to (`TaskIdentity`) and to describe a run (`Run`). Both private imports stand here and
nowhere else; `tests/federation/grids/test_inprocess.py` runs them against the installed Flower.
"""

from __future__ import annotations

import copy
import math
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from flwr.app import Array, Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

from glean.settings import ConfigValue

BakeryApp = ClientApp
"""What plays a bakery; folders below name it without importing Flower."""

SERVER_NODE = 1
CLIENT_APP_RAISED = 2
"""Code of an `Error` reply that tells of an exception in a ClientApp."""


class InProcessGrid(Grid):
    """Calls a ClientApp directly, one node after the other.

    Parameters
    ----------
    client_app : ClientApp
        The app that plays every node.
    node_configs : sequence of mappings
        Node config of each node; their number is the number of nodes.
    run_config : mapping
        The run config that every node sees.
    run_id : int
        Number of the run, for messages.
    """

    engine = "inprocess"

    def __init__(
        self,
        client_app: BakeryApp,
        node_configs: Iterable[Mapping[str, ConfigValue]],
        run_config: Mapping[str, ConfigValue],
        *,
        run_id: int,
    ) -> None:
        self._app = client_app
        self._run = Run.create_empty(run_id)
        self._contexts = {
            SERVER_NODE + 1 + index: Context(
                run_id=run_id,
                node_id=SERVER_NODE + 1 + index,
                node_config=dict(config),
                state=RecordDict(),
                run_config=dict(run_config),
            )
            for index, config in enumerate(node_configs)
        }
        self._unanswered: dict[str, Message] = {}

    def set_run(self, run: Run) -> None:
        """Set the run that messages belong to."""
        self._run = run

    @property
    def run(self) -> Run:
        """The run that messages belong to."""
        return self._run

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        """Make a message to a node."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> Iterable[int]:
        """Ids of all nodes."""
        return list(self._contexts)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Take messages; their nodes answer when `pull_messages` asks for it."""
        ids = []
        for message in messages:
            message_id = uuid.uuid4().hex
            # Flower has no setter; it writes the metadata's dict too.
            vars(message.metadata)["_message_id"] = message_id
            self._unanswered[message_id] = message
            ids.append(message_id)
        return ids

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Let the node of the first of these messages that has no reply yet give it.

        One at a time: whoever waits for replies can keep to a deadline.
        """
        for message_id in message_ids:
            if message_id in self._unanswered:
                return [self._answer(self._unanswered.pop(message_id))]
        return []

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        """Send messages and return the replies of the nodes that answered before `timeout`.

        The nodes share that time, since they answer one after the other.
        """
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        replies: list[Message] = []
        for message in messages:
            answered = self.pull_messages(self.push_messages([message]))
            if time.monotonic() > deadline:
                break
            replies += answered
        return replies

    def _answer(self, message: Message) -> Message:
        node = message.metadata.dst_node_id
        # A ClientApp may write into both; neither must be seen by the server or by a later call
        # that should not know of a failed one.
        context = _copied(self._contexts[node])
        incoming = copy.copy(message)
        incoming.content = _copied_record(message.content)
        with _identity(self._run.run_id, node):
            try:
                reply = self._app(message=incoming, context=context)
            except Exception as error:  # noqa: BLE001 - whatever the app raises becomes its reply
                reason = f"{type(error).__name__}: {error}"
                return Message(Error(CLIENT_APP_RAISED, reason), reply_to=message)
        self._contexts[node] = context
        return reply


def _copied(context: Context) -> Context:
    """Copy what a ClientApp may change; the values of both configs are plain."""
    return Context(
        run_id=context.run_id,
        node_id=context.node_id,
        node_config=dict(context.node_config),
        state=_copied_record(context.state),
        run_config=dict(context.run_config),
    )


def _copied_record(record: RecordDict) -> RecordDict:
    """Copy all that can be changed: the records, and the arrays and lists in them."""
    copied = record.copy()
    for name, part in record.items():
        # Not `part.copy()` alone: a list in it, or what an array holds, can be changed in place.
        inner = part.copy()
        for key, value in part.items():
            if isinstance(value, list | Array):
                inner[key] = copy.copy(value)  # type: ignore[assignment]
        copied[name] = inner
    return copied


def run_inprocess(
    server_app: ServerApp, grid: InProcessGrid, run_config: Mapping[str, ConfigValue]
) -> None:
    """Run a ServerApp on the grid, in this thread; what it raises is raised here."""
    context = Context(
        run_id=grid.run.run_id,
        node_id=SERVER_NODE,
        node_config={},
        state=RecordDict(),
        run_config=dict(run_config),
    )
    with as_server(grid):
        server_app(grid=grid, context=context)


def as_server(grid: InProcessGrid) -> AbstractContextManager[None]:
    """Be the server of the grid's run, so that messages can be made, for the time of a `with`."""
    return _identity(grid.run.run_id, SERVER_NODE)


@contextmanager
def _identity(run_id: int, node_id: int) -> Iterator[None]:
    before = (TaskIdentity._run_id, TaskIdentity._node_id, TaskIdentity._task_id)  # noqa: SLF001
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = run_id, node_id, 1
    try:
        yield
    finally:
        TaskIdentity._run_id, TaskIdentity._node_id, TaskIdentity._task_id = before  # noqa: SLF001
