"""A cluster of several brokers inside this process, whose brokers go down and whose answers fail.

It is librdkafka's own mock cluster, steered by C functions; confluent-kafka brings the library, but
no names for these functions.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

BROKERS = 3

PRODUCE, FETCH, METADATA, INIT_PRODUCER_ID = 0, 1, 3, 22
"""Numbers of requests, as Kafka's protocol has them."""

NOT_LEADER, REQUEST_TIMED_OUT, NOT_ENOUGH_REPLICAS, COORDINATOR_NOT_AVAILABLE = 6, 7, 19, 15
MESSAGE_TOO_LARGE, TOPIC_AUTHORIZATION_FAILED = 10, 29
"""Numbers of errors, likewise."""

_PRODUCER = 0


def library() -> Path | None:
    """Where librdkafka lies, None where it isn't found."""
    import confluent_kafka

    beside = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
    return next(iter(sorted(beside.glob("librdkafka-*.so*"))), None)


class MockKafka:
    """The cluster."""

    def __init__(self, found: Path, topics: Mapping[str, int]) -> None:
        self._library = ctypes.CDLL(str(found))
        self._declare()
        error = ctypes.create_string_buffer(512)
        settings = self._library.rd_kafka_conf_new()
        self._client = self._library.rd_kafka_new(_PRODUCER, settings, error, len(error))
        assert self._client, error.value
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._client, BROKERS)
        self.topics = dict(topics)
        for name, partitions in topics.items():
            self._call("topic_create", name.encode(), partitions, BROKERS)

    @property
    def servers(self) -> str:
        """Addresses of the brokers."""
        return str(self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode())

    def down(self, broker: int) -> None:
        """Take a broker down, counted from 1; its partitions have the next one as their leader."""
        self._call("broker_set_down", broker)
        for name, partitions in self.topics.items():
            for partition in range(partitions):
                leader = broker % BROKERS + 1
                self._call("partition_set_leader", name.encode(), partition, leader)

    def up(self, broker: int) -> None:
        """Bring it back."""
        self._call("broker_set_up", broker)

    def slow(self, broker: int, milliseconds: int) -> None:
        """Have a broker answer that much later."""
        self._call("broker_set_rtt", broker, milliseconds)

    def fail(self, request: int, errors: Sequence[int]) -> None:
        """Answer the next requests of a kind with these errors."""
        values = (ctypes.c_int * len(errors))(*errors)
        function = self._library.rd_kafka_mock_push_request_errors_array
        function(self._cluster, ctypes.c_int16(request), ctypes.c_size_t(len(errors)), values)

    def close(self) -> None:
        """End it."""
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._client)

    def _call(self, name: str, *values: object) -> None:
        done = getattr(self._library, f"rd_kafka_mock_{name}")(self._cluster, *values)
        assert done == 0, f"{name}{values}: error {done}"

    def _declare(self) -> None:
        pointer = ctypes.c_void_p
        for name, result, arguments in (
            ("rd_kafka_conf_new", pointer, []),
            ("rd_kafka_new", pointer, [ctypes.c_int, pointer, ctypes.c_char_p, ctypes.c_size_t]),
            ("rd_kafka_destroy", None, [pointer]),
            ("rd_kafka_mock_cluster_new", pointer, [pointer, ctypes.c_int]),
            ("rd_kafka_mock_cluster_destroy", None, [pointer]),
            ("rd_kafka_mock_cluster_bootstraps", ctypes.c_char_p, [pointer]),
            (
                "rd_kafka_mock_topic_create",
                ctypes.c_int,
                [pointer, ctypes.c_char_p, ctypes.c_int, ctypes.c_int],
            ),
            (
                "rd_kafka_mock_partition_set_leader",
                ctypes.c_int,
                [pointer, ctypes.c_char_p, ctypes.c_int32, ctypes.c_int32],
            ),
            ("rd_kafka_mock_broker_set_down", ctypes.c_int, [pointer, ctypes.c_int32]),
            ("rd_kafka_mock_broker_set_up", ctypes.c_int, [pointer, ctypes.c_int32]),
            (
                "rd_kafka_mock_broker_set_rtt",
                ctypes.c_int,
                [pointer, ctypes.c_int32, ctypes.c_int],
            ),
            (
                "rd_kafka_mock_push_request_errors_array",
                None,
                [pointer, ctypes.c_int16, ctypes.c_size_t, pointer],
            ),
        ):
            function = getattr(self._library, name)
            function.restype, function.argtypes = result, arguments


@contextmanager
def mock_kafka(found: Path, topics: Mapping[str, int]) -> Iterator[MockKafka]:
    """Start a cluster with these topics; end it afterwards."""
    cluster = MockKafka(found, topics)
    try:
        yield cluster
    finally:
        cluster.close()
