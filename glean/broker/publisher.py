"""Messages on their way to a broker, each sent until the broker says that it has it."""

from __future__ import annotations

from glean.broker.connection import BrokerConnection
from glean.broker.messages import OutgoingMessage
from glean.broker.topology import RUNS


class Publisher:
    """Sends one message after the other, so that they arrive in this order.

    Parameters
    ----------
    connection : BrokerConnection
        Used by nobody else, and by one thread.
    """

    def __init__(self, connection: BrokerConnection) -> None:
        self._connection = connection

    @property
    def problem(self) -> str:
        """Why nothing can be sent; "" where it can, or wasn't tried yet."""
        return self._connection.problem

    def send(self, message: OutgoingMessage) -> None:
        """Send a message; the broker has it on disk, for every queue that wants it, once this ends.

        Raises
        ------
        BrokerError
            It wasn't confirmed. It may have arrived all the same, and is to be sent again.
        """
        from pika import BasicProperties, DeliveryMode

        properties = BasicProperties(
            content_type="application/json",
            delivery_mode=DeliveryMode.Persistent,
            priority=message.priority,
            message_id=message.message_id,
            headers=dict(message.headers),
        )
        with self._connection.channel() as channel:
            channel.basic_publish(
                message.exchange,
                message.routing_key,
                message.body,
                properties,
                mandatory=message.must_arrive,
            )

    def waiting_runs(self) -> int:
        """Count the messages of runs that no worker has taken.

        Raises
        ------
        BrokerError
            The broker is away.
        """
        with self._connection.channel() as channel:
            return channel.queue_declare(RUNS, passive=True).method.message_count

    def keep_alive(self) -> None:
        """Connect, or answer heartbeats, while there is nothing to send.

        Raises
        ------
        BrokerError
            The broker is away or refuses.
        """
        self._connection.keep_alive()

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()
