"""Whether a federation's brokers answer and its topics are there, before a run begins."""

from __future__ import annotations

import time
from collections.abc import Callable

from glean.errors import FederationError
from glean.kafka.client_config import AUTHORITY, KafkaAccess
from glean.kafka.producer import BrokerAwayError
from glean.kafka.topic_maker import NoBrokerError, TopicMaker
from glean.kafka.topics import Topics

LIMIT_S = 12.0
_PAUSE_S = 0.3


def check_brokers(
    access: KafkaAccess,
    topics: Topics,
    *,
    limit_s: float | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Ask the brokers for the topics, and make those that are missing.

    Raises
    ------
    FederationError
        No broker answers in time, or the topics can't be made; says what to do.
    """
    maker = TopicMaker(access, topics, makes=True)
    deadline = time.monotonic() + (LIMIT_S if limit_s is None else limit_s)
    while True:
        try:
            maker.sizes()
        except NoBrokerError as error:
            said, what = str(error), "no broker answers"
        except BrokerAwayError as error:
            said, what = str(error), "the topics aren't there"
        else:
            return
        if time.monotonic() > deadline:
            raise FederationError(
                f"{access.url}: {what} ({said}). Is a broker running there, does a firewall let "
                "you through, and does it speak as the address says (kafka+ssl:// with "
                f"{AUTHORITY}, kafka+sasl:// with a user; docs/kafka.md)?"
            )
        sleep(_PAUSE_S)
