"""Messages that take long, answered by several processes of this machine.

In come messages and the hosts of the clients that they are for; out come replies as they are done.
Whoever answers in another process opens the client's data there anew, so this is for messages
beside which that is little: the final test. Replies and the clients' states are as from here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from flwr.app import Context, Message

from glean.federation.grids.client_host import ClientHost
from glean.process_pool import Job, shared_out

Answer = Callable[[Message, Context], tuple[Message, Context]]


@dataclass(frozen=True)
class AnswersApart:
    """Which messages are answered by processes, and by how many.

    Parameters
    ----------
    kinds : frozenset of str
        Types of these messages.
    answer : callable
        Given a message and its client's context, gives the reply and the context afterwards. Of a
        module: it is found by its name in another process.
    workers : int
        How many processes.
    """

    kinds: frozenset[str]
    answer: Answer
    workers: int

    def answers(
        self, messages: Sequence[Message], hosts: Mapping[int, ClientHost]
    ) -> Iterator[Message]:
        """Give the replies as they are done, and each client's host its context afterwards."""
        at = [hosts[message.metadata.dst_node_id] for message in messages]
        jobs = [
            Job(f"node {host.context.node_id}", self.answer, (message, host.plain_context()))
            for message, host in zip(messages, at, strict=True)
        ]
        for place, (reply, context) in shared_out(jobs, workers=self.workers):
            at[place].context = context
            yield reply
