"""A connection to a broker that is opened when it is needed, and again when it was lost."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from glean.broker.back_off import BackOff
from glean.broker.broker_url import BrokerUrl
from glean.broker.topology import declare
from glean.errors import FederationError, SettingsError
from glean.installed_packages import check_installed

if TYPE_CHECKING:
    from pika import BlockingConnection, URLParameters
    from pika.adapters.blocking_connection import BlockingChannel

HEARTBEAT_S = 30
"""Whoever is silent for two of them is gone; its messages go to others."""

CONNECT_LIMIT_S = 5.0
BLOCKED_LIMIT_S = 30.0
"""A broker without memory or disk takes no messages; then it counts as away."""


class BrokerError(FederationError):
    """The broker is away, or refuses; what was to be said to it can be said again later."""


class BrokerConnection:
    """A connection with one channel, used by one thread.

    Parameters
    ----------
    url : BrokerUrl
        Where the broker is.
    back_off : BackOff, optional
        When it is tried again after it couldn't be reached.

    Raises
    ------
    GleanError
        The package that speaks AMQP isn't installed, or the URL has options that it doesn't know.
    """

    def __init__(self, url: BrokerUrl, back_off: BackOff | None = None) -> None:
        check_installed("pika", extra="broker")
        self._url = url
        self._parameters = _parameters(url)
        self._back_off = back_off or BackOff()
        self._connection: BlockingConnection | None = None
        self._channel: BlockingChannel | None = None
        self._problem = ""

    @property
    def problem(self) -> str:
        """Why the broker can't be used; "" where it can, or wasn't tried. Any thread may ask."""
        return self._problem

    @contextmanager
    def channel(self) -> Iterator[BlockingChannel]:
        """Give the channel: exchanges and queues are there, each message is confirmed, prefetch 1.

        What goes wrong with the broker in the body ends the connection; the next one is another.

        Raises
        ------
        BrokerError
            The broker is away or refuses, or was a moment ago and it's too early to try again.
        """
        from pika.adapters.utils.connection_workflow import AMQPConnectorException
        from pika.exceptions import AMQPError

        if self._channel is None and not self._back_off.due:
            raise BrokerError(self._problem)
        try:
            yield self._open()
        except (AMQPError, AMQPConnectorException, OSError) as error:
            self.close()
            self._back_off.failed()
            self._problem = f"{self._url}: {_reason_of(error)}"
            raise BrokerError(self._problem) from error

    def keep_alive(self) -> None:
        """Connect, or answer the broker's heartbeats; to be called every few seconds.

        Raises
        ------
        BrokerError
            The broker is away or refuses.
        """
        with self.channel() as channel:
            channel.connection.process_data_events(0)

    def close(self) -> None:
        """Let go of the connection, if there is one."""
        from pika.exceptions import AMQPError

        connection, self._connection, self._channel = self._connection, None, None
        if connection is None or not connection.is_open:
            return
        try:
            connection.close()
        except (AMQPError, OSError):
            return  # it is gone, which is what was wanted

    def _open(self) -> BlockingChannel:
        if self._channel is None:
            from pika import BlockingConnection

            self._connection = BlockingConnection(self._parameters)
            channel = self._connection.channel()
            channel.confirm_delivery()
            channel.basic_qos(prefetch_count=1)
            declare(channel)
            self._channel = channel
            self._back_off.succeeded()
            self._problem = ""
        return self._channel


def _parameters(url: BrokerUrl) -> URLParameters:
    from pika import URLParameters

    # It tells of each try in several lines, in its own words; who holds a connection tells once.
    logging.getLogger("pika").setLevel(logging.CRITICAL + 1)
    try:
        found = URLParameters(url.text)
    except (ValueError, TypeError):
        raise SettingsError(
            f"broker: found options behind {url} that can't be read; wanted AMQP's, like "
            f"?heartbeat={HEARTBEAT_S}"
        ) from None
    if "heartbeat" not in url.text:
        found.heartbeat = HEARTBEAT_S
    found.socket_timeout = found.stack_timeout = CONNECT_LIMIT_S
    found.blocked_connection_timeout = BLOCKED_LIMIT_S
    return found


def _reason_of(error: BaseException) -> str:
    """Say in a few words what went wrong; pika wraps what happened, sometimes twice."""
    said = getattr(error, "reply_text", "")
    if said:
        return f"it says {said}"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    for inner in (getattr(error, "exception", None), *error.args):
        if isinstance(inner, BaseException):
            return _reason_of(inner)
    return str(error) or type(error).__name__
