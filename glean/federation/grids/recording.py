"""A grid in this process that keeps what travels, for whoever plays a server or a member later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flwr.app import Message, RecordDict

from glean.federation.grids.inprocess import BakeryApp, InProcessGrid
from glean.settings import ConfigValue


@dataclass(frozen=True)
class Exchange:
    """A message of the server's and its reply.

    Parameters
    ----------
    node : int
        The node that it went to.
    kind : str
        Type of the message, like "train.sum".
    sent, received : RecordDict
        What the one and the other carried.
    """

    node: int
    kind: str
    sent: RecordDict
    received: RecordDict


class RecordingGrid(InProcessGrid):
    """Keeps every exchange that had a reply; errors are no replies.

    Parameters
    ----------
    client_app, node_configs, run_config, run_id
        As `InProcessGrid`.
    leaves : mapping of int to int
        Nodes that go for good, and the round in which they are first asked and not there.

    Attributes
    ----------
    exchanges : list of Exchange
        In the order of the replies.
    """

    def __init__(
        self,
        client_app: BakeryApp,
        node_configs: Iterable[Mapping[str, ConfigValue]],
        run_config: Mapping[str, ConfigValue],
        *,
        run_id: int,
        leaves: Mapping[int, int] | None = None,
    ) -> None:
        super().__init__(client_app, node_configs, run_config, run_id=run_id)
        self.exchanges: list[Exchange] = []
        self._leaves = dict(leaves or {})
        self._gone: set[int] = set()

    def get_node_ids(self) -> list[int]:
        """Ids of the nodes that are there."""
        return [node for node in super().get_node_ids() if node not in self._gone]

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Take messages, once those have left whose round it is."""
        messages = list(messages)
        now = max((int(message.metadata.group_id or 0) for message in messages), default=0)
        self._gone |= {node for node, number in self._leaves.items() if number <= now}
        return super().push_messages(messages)

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Have one node that is there answer, and keep what was said."""
        wanted = [(i, self._unanswered[i]) for i in message_ids if i in self._unanswered]
        there = [(i, sent) for i, sent in wanted if sent.metadata.dst_node_id not in self._gone]
        if not there:
            return []
        first, sent = there[0]
        replies = super().pull_messages([first])
        for reply in replies:
            if reply.has_content():
                told = sent.metadata
                self.exchanges.append(
                    Exchange(told.dst_node_id, told.message_type, sent.content, reply.content)
                )
        return replies
