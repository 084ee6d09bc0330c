"""Runs as a broker hands them to a worker: one at a time, to whoever is idle."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from glean.broker.connection import BrokerConnection, BrokerError
from glean.broker.messages import RunMessage, UnreadableMessageError, dead_message
from glean.broker.publisher import Publisher
from glean.broker.topology import RUNS

LOG = logging.getLogger("glean.broker")


@dataclass(frozen=True)
class Delivery:
    """A run that a broker has handed out and hears about until it is settled.

    Parameters
    ----------
    message : RunMessage
        Which run.
    tag : int
        By which the broker knows the delivery.
    """

    message: RunMessage
    tag: int


class RunConsumer:
    """Takes runs from a broker.

    It is connected while it waits for a run, and not while a worker does one: a run takes longer
    than a broker waits for an answer, and from its lease on the database guards it.

    Parameters
    ----------
    connection : BrokerConnection
        Used by nobody else, and by one thread.
    """

    def __init__(self, connection: BrokerConnection) -> None:
        self._connection = connection

    def next(self, wait_s: float) -> Delivery | None:
        """Wait for a run; the last one must be settled.

        A message that can't be read goes to the dead letters, with what is wrong with it.

        Parameters
        ----------
        wait_s : float
            How long, s; heartbeats are answered meanwhile.

        Returns
        -------
        Delivery or None
            None where none came.

        Raises
        ------
        BrokerError
            The broker is away. A run that wasn't settled comes again, here or elsewhere.
        """
        with self._connection.channel() as channel:
            for method, properties, body in channel.consume(RUNS, inactivity_timeout=wait_s):
                if method is None or method.delivery_tag is None or body is None:
                    return None
                try:
                    return Delivery(RunMessage.read(body), method.delivery_tag)
                except UnreadableMessageError as error:
                    self._bury(body, str(error), str(getattr(properties, "message_id", "") or ""))
                    channel.basic_ack(method.delivery_tag)
        self._connection.close()
        raise BrokerError(f"the queue {RUNS} was taken away")

    def drop(self, delivery: Delivery) -> None:
        """Settle a run that isn't to be done any more; others may come.

        Raises
        ------
        BrokerError
            The broker is away.
        """
        with self._connection.channel() as channel:
            channel.basic_ack(delivery.tag)

    def take(self, delivery: Delivery) -> None:
        """Settle a run that is claimed in the database; nothing comes until `next` is called.

        Raises
        ------
        BrokerError
            The broker is away: the message comes again to somebody who finds the run taken.
        """
        with self._connection.channel() as channel:
            channel.cancel()
            channel.basic_ack(delivery.tag)
        self._connection.close()

    def close(self) -> None:
        """Let go of the connection; a run that wasn't settled goes to somebody else."""
        self._connection.close()

    def _bury(self, body: bytes, reason: str, message_id: str) -> None:
        LOG.warning("%s; it went to the dead letters", reason)
        Publisher(self._connection).send(dead_message(body, reason, message_id=message_id))
