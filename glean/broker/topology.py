"""The exchanges and queues of a broker: who publishes where, and what is kept for whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pika.adapters.blocking_connection import BlockingChannel

RUNS = "glean.runs"
"""Exchange and queue of the runs that wait for a worker."""

EVENTS = "glean.events"
"""Exchange that every event of every run goes to, by topic; whoever wants some binds a queue."""

DEAD = "glean.dead"
"""Exchange of what nobody could do; each message says why in its header `reason`."""

DEAD_RUNS = "glean.runs.dead"
"""Queue where these stay until somebody looks."""

MOST_PRIORITY = 9
"""RabbitMQ's advice is to have no more than ten."""


def declare(channel: BlockingChannel) -> None:
    """Make what isn't there yet; all of it outlives a restart of the broker.

    Parameters
    ----------
    channel : BlockingChannel
        Open; the broker closes it where one of these is there with other properties.
    """
    channel.exchange_declare(RUNS, "direct", durable=True)
    channel.exchange_declare(EVENTS, "topic", durable=True)
    channel.exchange_declare(DEAD, "fanout", durable=True)
    channel.queue_declare(DEAD_RUNS, durable=True)
    channel.queue_bind(DEAD_RUNS, DEAD)
    channel.queue_declare(
        RUNS,
        durable=True,
        arguments={"x-max-priority": MOST_PRIORITY, "x-dead-letter-exchange": DEAD},
    )
    channel.queue_bind(RUNS, RUNS, routing_key=RUNS)
