"""Makes topics of a federation that are missing, and says how many partitions each has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glean.kafka.client_config import KafkaAccess
from glean.kafka.producer import BrokerAwayError
from glean.kafka.topics import RETENTION_MS, Topics

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, KafkaException
    from confluent_kafka.admin import AdminClient

LIMIT_S = 3.0

_ANY_REPLICATION = -1
"""As the brokers have it set."""


class NoBrokerError(BrokerAwayError):
    """No broker answers, or none that is believed or lets us in."""


class TopicMaker:
    """Looks at topics, and makes them.

    Parameters
    ----------
    access : KafkaAccess
        How brokers are reached.
    topics : Topics
        Which ones.
    makes : bool
        Whether those that are missing are made.
    """

    def __init__(self, access: KafkaAccess, topics: Topics, *, makes: bool) -> None:
        self._access, self._topics, self._makes = access, topics, makes

    def sizes(self) -> dict[str, int]:
        """Give each topic's number of partitions.

        Raises
        ------
        BrokerAwayError
            They aren't all there, or, as a `NoBrokerError`, no broker answers.
        """
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        said: list[KafkaError] = []
        admin = AdminClient(self._access.admin(said.append))
        try:
            found = self._found(admin)
            if self._makes and len(found) < len(self._topics.all):
                self._make(admin, [name for name in self._topics.all if name not in found])
                found = self._found(admin)
        except KafkaException as error:
            admin.poll(0)  # only now it is told of what came up meanwhile
            raise NoBrokerError(_why(error, said)) from error
        missing = [name for name in self._topics.all if name not in found]
        if missing:
            raise BrokerAwayError(
                f"found no topic {', '.join(missing)}; "
                + ("it was just made" if self._makes else "the server makes it when a run begins")
            )
        return found

    def _found(self, admin: AdminClient) -> dict[str, int]:
        listed = admin.list_topics(timeout=LIMIT_S).topics
        return {
            name: len(listed[name].partitions)
            for name in self._topics.all
            if name in listed and listed[name].partitions
        }

    def _make(self, admin: AdminClient, names: list[str]) -> None:
        from confluent_kafka import KafkaError, KafkaException
        from confluent_kafka.cimpl import NewTopic

        config = {
            "retention.ms": str(RETENTION_MS),
            "cleanup.policy": "delete",
            # Readers refuse what unpacks to more than 100 MB of this, and not of others like gzip.
            "compression.type": "zstd",
        }
        wanted = [
            NewTopic(name, self._topics.partitions[name], _ANY_REPLICATION, config=config)
            for name in names
        ]
        for name, future in admin.create_topics(wanted, request_timeout=LIMIT_S).items():
            try:
                future.result(LIMIT_S)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise BrokerAwayError(
                        f"topic {name} can't be made: {error.args[0].str()}; wanted the right to "
                        "create topics, or have them made as docs/kafka.md lists them"
                    ) from error


def _why(error: KafkaException, said: list[KafkaError]) -> str:
    """Say why no broker can be used: what went wrong with a connection tells most."""
    from confluent_kafka import KafkaError as Known

    telling = (Known._SSL, Known._AUTHENTICATION)  # noqa: SLF001 # librdkafka's own names begin so
    found = [one.str() for one in said if one.code() in telling]
    return found[0] if found else str(error.args[0].str())
