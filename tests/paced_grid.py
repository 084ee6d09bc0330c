"""A grid in this process whose nodes take rounds for their trainings, vanish and come back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flwr.app import Message

from glean.federation.coordination.registration import INFO
from glean.federation.grids.inprocess import InProcessGrid
from glean.federation.server.live_jobs import JOB

_PATIENCE = 3
"""So many looks for nothing else than trainings that take rounds, and one of them is done."""


OnPush = Callable[[str, str, int], None]


def _nothing(_kind: str, _name: str, _number: int) -> None:
    """Do nothing."""


class PacedGrid(InProcessGrid):
    """Holds trainings back until the server has got on with others.

    Attributes
    ----------
    lags : dict of str to int
        By name, how many rounds later a training of a client is done than it begins; or as soon as
        nothing else is waited for. 0: at once; -1: never.
    gone : set of str
        Whose node isn't connected, and answers nothing.
    asked : list of (str, str, int)
        Kind, client and round of each message that was sent.
    on_push : callable
        Is told of each of these before it is sent.
    """

    nodes_from_start = None

    def __init__(self, *parts: Any, **options: Any) -> None:
        super().__init__(*parts, **options)
        nodes = zip(self._hosts, parts[1], strict=True)
        self._names = {node: str(config["bakery"]) for node, config in nodes}
        self.lags: dict[str, int] = {}
        self.gone: set[str] = set()
        self.asked: list[tuple[str, str, int]] = []
        self.on_push: OnPush = _nothing
        self._training: dict[str, tuple[str, int]] = {}
        self._vain = 0

    def get_node_ids(self) -> list[int]:
        """Nodes that are connected."""
        return [node for node in self._hosts if self._names[node] not in self.gone]

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Send; whoever trains isn't to be asked anything meanwhile."""
        ids: list[str] = []
        for message in messages:
            told = message.metadata
            name, number = self._names[told.dst_node_id], int(told.group_id)
            self.on_push(told.message_type, name, number)
            self.asked.append((told.message_type, name, number))
            busy = {trainer for trainer, _ in self._training.values()}
            assert told.message_type == INFO or name not in busy, self.asked
            ids += super().push_messages([message])
            if told.message_type == JOB:
                self._training[ids[-1]] = name, number
        return ids

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Let a node answer that may."""
        wanted = [i for i in message_ids if not self._is_gone(i)]
        ready = [i for i in wanted if self._is_done(i)]
        if not ready and wanted:
            self._vain += 1
            ready = [i for i in wanted if self._lag(i) >= 0][:1] if self._vain > _PATIENCE else []
        found = super().pull_messages(ready)
        if found:
            self._vain = 0
        for reply in found:
            self._training.pop(reply.metadata.reply_to_message_id, None)
        return found

    def forget_trainings_of(self, name: str) -> None:
        """Lose what a client was told to train."""
        self._training = {i: job for i, job in self._training.items() if job[0] != name}

    def _is_gone(self, message_id: str) -> bool:
        message = self._unanswered.get(message_id)
        return message is not None and self._names[message.metadata.dst_node_id] in self.gone

    def _lag(self, message_id: str) -> int:
        name, _ = self._training.get(message_id, ("", 0))
        return self.lags.get(name, 0)

    def _is_done(self, message_id: str) -> bool:
        _, begun = self._training.get(message_id, ("", 0))
        newest = max(number for _, _, number in self.asked)
        return self._lag(message_id) >= 0 and newest >= begun + self._lag(message_id)
