"""A grid in this process: the same ServerApp and ClientApp, without Ray and without a SuperLink.

One run at a time in a process: the second is refused while the first goes on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from itertools import islice

from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from glean.federation.grids.answers_apart import AnswersApart
from glean.federation.grids.client_host import ClientHost
from glean.federation.grids.flower_internals import identity, number_message
from glean.federation.grids.run_grid import RunGrid
from glean.settings import ConfigValue

BakeryApp = ClientApp
"""What plays a bakery; folders below name it without importing Flower."""

SERVER_NODE = 1


class InProcessGrid(RunGrid):
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
    apart : AnswersApart, optional
        Which messages are answered by processes, and how; by default none.
    """

    engine = "inprocess"
    nodes_from_start: bool | None = True

    def __init__(
        self,
        client_app: BakeryApp,
        node_configs: Iterable[Mapping[str, ConfigValue]],
        run_config: Mapping[str, ConfigValue],
        *,
        run_id: int,
        apart: AnswersApart | None = None,
    ) -> None:
        super().__init__(run_id)
        self._apart = apart
        self._from_apart: Iterator[Message] = iter(())
        self._hosts = {
            node: ClientHost(
                client_app, run_id=run_id, node_id=node, node_config=config, run_config=run_config
            )
            for node, config in enumerate(node_configs, start=SERVER_NODE + 1)
        }
        self._unanswered: dict[str, Message] = {}

    def get_node_ids(self) -> Iterable[int]:
        """Ids of all nodes."""
        return list(self._hosts)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Take messages; their nodes answer when `pull_messages` asks for it."""
        ids = []
        for message in messages:
            message_id = number_message(message)
            self._unanswered[message_id] = message
            ids.append(message_id)
        return ids

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Let the node of the first of these messages that has no reply yet give it.

        One at a time: whoever waits for replies can keep to a deadline.
        """
        message_ids = list(message_ids)
        replies = list(islice(self._from_apart, 1))
        if replies:
            return replies
        if self._apart is not None:
            apart = [self._unanswered.pop(i) for i in message_ids if self._goes_apart(i)]
            if apart:
                self._from_apart = self._apart.answers(apart, self._hosts)
                return [next(self._from_apart)]
        for message_id in message_ids:
            if message_id in self._unanswered:
                message = self._unanswered.pop(message_id)
                return [self._hosts[message.metadata.dst_node_id].answer(message)]
        return []

    def _goes_apart(self, message_id: str) -> bool:
        """Whether a message that isn't answered yet is one for processes."""
        message = self._unanswered.get(message_id)
        return (
            message is not None
            and self._apart is not None
            and message.metadata.message_type in self._apart.kinds
        )

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


def run_inprocess(server_app: ServerApp, grid: Grid, run_config: Mapping[str, ConfigValue]) -> None:
    """Run a ServerApp on a grid, in this thread; what it raises is raised here.

    Raises
    ------
    FederationError
        Another run is at work in this process.
    """
    context = Context(
        run_id=grid.run.run_id,
        node_id=SERVER_NODE,
        node_config={},
        state=RecordDict(),
        run_config=dict(run_config),
    )
    with as_server(grid):
        server_app(grid=grid, context=context)


def as_server(grid: Grid) -> AbstractContextManager[None]:
    """Be the server of the grid's run, so that messages can be made, for the time of a `with`.

    Raises
    ------
    FederationError
        Another run is at work in this process, when the `with` begins.
    """
    return identity(grid.run.run_id, SERVER_NODE)
