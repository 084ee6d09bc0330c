"""What is said to librdkafka: who we are, how connections are protected, how much may wait.

Keys, passwords and certificates come from the environment, where others of the machine don't see
them. What librdkafka doesn't take it says itself; that is passed on in its words.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from glean.errors import SettingsError
from glean.installed_packages import check_installed
from glean.kafka.kafka_url import KafkaUrl

if TYPE_CHECKING:
    from confluent_kafka import KafkaError

USER, PASSWORD = "GLEAN_KAFKA_USER", "GLEAN_KAFKA_PASSWORD"  # names of variables
MECHANISM = "GLEAN_KAFKA_SASL"
AUTHORITY, CERTIFICATE, KEY = "GLEAN_KAFKA_CA", "GLEAN_KAFKA_CERTIFICATE", "GLEAN_KAFKA_KEY"
KEY_PASSWORD = "GLEAN_KAFKA_KEY_PASSWORD"  # noqa: S105 # nosec B105 # likewise

MECHANISMS = ("SCRAM-SHA-512", "SCRAM-SHA-256")

Config = dict[str, Any]

_QUIET = logging.getLogger("glean.kafka.librdkafka")
_QUIET.setLevel(logging.CRITICAL)
"""Each lost connection is several lines of its own; who holds a connection tells once."""

_PRODUCER: Config = {
    "enable.idempotence": True,
    "compression.type": "zstd",
    "linger.ms": 2,
    "message.timeout.ms": 15_000,
    "queue.buffering.max.kbytes": 64 * 1024,
    # A broker may make what is asked for, with other partitions than were agreed on.
    "allow.auto.create.topics": False,
}
_CONSUMER: Config = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "earliest",
    "fetch.wait.max.ms": 50,
    "fetch.error.backoff.ms": 100,
    "fetch.message.max.bytes": 4 * 2**20,
    "queued.max.messages.kbytes": 32 * 1024,
    "allow.auto.create.topics": False,
}


@dataclass(frozen=True)
class KafkaAccess:
    """How brokers are reached.

    Parameters
    ----------
    url : KafkaUrl
        Where they are.
    settings : dict
        What librdkafka is told of it: never shown, since it may have a password.
    """

    url: KafkaUrl
    settings: Config = field(repr=False)

    @classmethod
    def of(cls, url: KafkaUrl, environment: Mapping[str, str], *, client_id: str) -> KafkaAccess:
        """Put together what an address and the environment say.

        Parameters
        ----------
        url : KafkaUrl
            The address.
        environment : mapping
            Has what the address doesn't.
        client_id : str
            How brokers name this client in their logs.

        Raises
        ------
        GleanError
            Something is missing, doesn't fit, or isn't taken by librdkafka.
        """
        check_installed("confluent_kafka", extra="kafka")
        settings: Config = {
            "bootstrap.servers": ",".join(url.servers),
            "client.id": client_id,
            "security.protocol": _protocol(url),
            "socket.keepalive.enable": True,
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 1000,
            **(_tls(environment) if url.tls else {}),
            **(_sasl(url, environment) if url.sasl else {}),
        }
        access = cls(url, settings)
        access.check()
        return access

    def producer(self, on_error: Callable[[KafkaError], None]) -> Config:
        """Give the config of a producer."""
        return {**self.settings, **_PRODUCER, "error_cb": on_error, "logger": _QUIET}

    def consumer(self, group: str, on_error: Callable[[KafkaError], None]) -> Config:
        """Give the config of a consumer that keeps its places as a group of its own."""
        named = {"group.id": group, "error_cb": on_error, "logger": _QUIET}
        return {**self.settings, **_CONSUMER, **named}

    def admin(self, on_error: Callable[[KafkaError], None]) -> Config:
        """Give the config of a client that makes topics."""
        return {**self.settings, "error_cb": on_error, "logger": _QUIET}

    def check(self) -> None:
        """Have librdkafka look at it, which connects to nothing yet.

        Raises
        ------
        SettingsError
            It doesn't take it.
        """
        from confluent_kafka import KafkaException, Producer

        try:
            Producer(self.producer(lambda _error: None))
        except KafkaException as error:
            said = error.args[0].str() if error.args else str(error)
            raise SettingsError(
                f"{self.url}: found settings that can't be used: {said}; wanted the files and "
                f"names of {AUTHORITY}, {CERTIFICATE}, {KEY} and {MECHANISM} as the brokers have it"
            ) from None


def _protocol(url: KafkaUrl) -> str:
    if url.sasl:
        return "SASL_SSL"
    return "SSL" if url.tls else "PLAINTEXT"


def _tls(environment: Mapping[str, str]) -> Config:
    found: Config = {
        name: environment[variable]
        for name, variable in (
            ("ssl.ca.location", AUTHORITY),
            ("ssl.certificate.location", CERTIFICATE),
            ("ssl.key.location", KEY),
            ("ssl.key.password", KEY_PASSWORD),
        )
        if environment.get(variable)
    }
    if ("ssl.certificate.location" in found) != ("ssl.key.location" in found):
        raise SettingsError(
            f"found one of {CERTIFICATE} and {KEY}; wanted both, to prove by a certificate who "
            "this is, or neither"
        )
    return {"ssl.endpoint.identification.algorithm": "https", **found}


def _sasl(url: KafkaUrl, environment: Mapping[str, str]) -> Config:
    user = url.user or environment.get(USER, "")
    password = url.password or environment.get(PASSWORD, "")
    mechanism = environment.get(MECHANISM) or MECHANISMS[0]
    if not user or not password:
        missing = "user" if not user else "password"
        raise SettingsError(
            f"{url}: found no {missing}; wanted it in {USER if not user else PASSWORD}"
        )
    if mechanism not in MECHANISMS:
        raise SettingsError(
            f"{MECHANISM}: found {mechanism!r:.40}; wanted one of {', '.join(MECHANISMS)}"
        )
    return {"sasl.mechanism": mechanism, "sasl.username": user, "sasl.password": password}
