"""Records sent to nodes over any `Grid`, and the replies, told apart by the message they answer.

A reply is known by its message and not by its sender: what the SuperLink says in the place of a
node that is gone comes from the SuperLink. Nothing here waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flwr.app import Message, RecordDict
from flwr.serverapp import Grid

from glean.federation.grids.engine import nodes_from_start
from glean.federation.grids.flower_internals import like_message
from glean.federation.wire.record_form import payload_bytes

_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 0.5


@dataclass
class Traffic:
    """Payload bytes sent to bakeries and received from them."""

    down: int = 0
    up: int = 0


class GridMessenger:
    """Sends and fetches over a grid.

    Parameters
    ----------
    grid : Grid
        Flower's own, or the one in this process.
    """

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self.traffic = Traffic()

    def nodes(self) -> list[int]:
        """Nodes that are connected now."""
        return list(self._grid.get_node_ids())

    def nodes_from_start(self, *, own_tables: bool) -> bool:
        """Whether no further node will come; `own_tables`: a client has a table of its own."""
        return nodes_from_start(self._grid, own_tables=own_tables)

    def send(
        self, kind: str, records: Mapping[int, RecordDict], *, round_number: int
    ) -> dict[str, int]:
        """Send each node its record.

        Returns
        -------
        dict of str to int
            Id of the message -> node; without the nodes that Flower wouldn't send to.
        """
        if not records:
            return {}
        group = str(round_number)
        (node, record), *others = records.items()
        first = Message(record, node, kind, group_id=group)
        messages = [first, *(like_message(first, record, node) for node, record in others)]
        taken = set(self._grid.push_messages(messages))
        # Most nodes get the same record.
        sizes = {
            id(record): payload_bytes(record)
            for record in {id(r): r for r in records.values()}.values()
        }
        self.traffic.down += sum(sizes[id(record)] for record in records.values())
        sent = {m.metadata.message_id: m.metadata.dst_node_id for m in messages}
        return {number: node for number, node in sent.items() if number in taken}

    def fetch(self, wanted: Mapping[str, object]) -> dict[str, Message]:
        """Fetch what has come in reply to messages with these ids, each reply once."""
        # Nothing is copied: in one process every reply is fetched by itself.
        if not wanted:
            return {}
        replies = list(self._grid.pull_messages(wanted.keys()))
        self.traffic.up += sum(payload_bytes(r.content) for r in replies if r.has_content())
        found = {reply.metadata.reply_to_message_id: reply for reply in replies}
        return {number: reply for number, reply in found.items() if number in wanted}


def pause_s(waited_s: float) -> float:
    """How long to pause before the next look for replies: at most a fiftieth of the wait so far."""
    return min(max(_SHORTEST_PAUSE_S, waited_s / 50), _LONGEST_PAUSE_S)
