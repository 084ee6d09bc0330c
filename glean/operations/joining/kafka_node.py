"""A client's lasting node on Kafka: checked, and run until it is interrupted."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from glean.environment_names import kafka_address, kafka_topics, with_client_name
from glean.errors import SettingsError
from glean.federation.launch.flower_app import app_name, app_project
from glean.kafka.client_config import KafkaAccess
from glean.kafka.kafka_url import KafkaUrl
from glean.kafka.topics import Topics
from glean.node_settings import NodeSettings
from glean.operations.joining.bakery_node import home_to_itself
from glean.operations.joining.node_status import NodeStatus
from glean.privacy.envelope_signature import EnvelopeSigner
from glean.privacy.model_key import ModelKey
from glean.regular_files import read_regular
from glean.runs.log_lines import log_to
from glean.settings import ConfigValue

LOG = logging.getLogger("glean")

OUTBOXES = "kafka"
"""Folder in the home: what this client has sent and the server hasn't acknowledged."""


@dataclass(frozen=True)
class PreparedKafkaNode:
    """A node on Kafka that can be started.

    Parameters
    ----------
    url : KafkaUrl
        Where the federation is.
    topics : Topics
        The federation's topics.
    name : str
        The member's name.
    config : mapping
        Its node config.
    signing_key : bytes
        Its private key, by which all that it sends is signed.
    server_key : ModelKey
        The server's public key: what isn't signed by it isn't taken.
    environment : mapping
        Of the process.
    """

    url: KafkaUrl
    topics: Topics
    name: str
    config: Mapping[str, ConfigValue]
    signing_key: bytes = field(repr=False)
    server_key: ModelKey
    environment: Mapping[str, str] = field(repr=False)

    @property
    def home(self) -> Path:
        """The member's folder."""
        return Path(str(self.config["home"])).expanduser()


def prepare_kafka_node(
    address: str, config: Mapping[str, ConfigValue], environment: Mapping[str, str]
) -> PreparedKafkaNode:
    """Check everything that can be checked before brokers are spoken to.

    Parameters
    ----------
    address : str
        Like kafka://HOST:PORT/FEDERATION.
    config : mapping
        Its node config; with data, home and keys.
    environment : mapping
        Of the process.

    Raises
    ------
    GleanError
        Says what can't be used.
    """
    url = KafkaUrl.read(kafka_address(address, environment))
    topics = Topics(url.federation, *kafka_topics(environment))
    config = with_client_name(config, environment)
    node = NodeSettings.from_config(config, environment)
    for name, what in (
        ("bakery", "the name under which members.json has it"),
        ("home", "the path of a folder of its own"),
        ("signing_key", "the path of its private key, by which it signs what it sends"),
        ("members", "the path of members.json"),
        ("model_key", "the path of the server's model-key.pub, by which it knows the server"),
    ):
        if not getattr(node, name):
            raise SettingsError(
                f"node config: found no {name.replace('_', '-')}; wanted {what}: on Kafka nothing "
                "is taken that isn't signed. `glean certificates` makes these files"
            )
    KafkaAccess.of(url, environment, client_id=node.bakery)  # says what isn't there or doesn't fit
    signing_key = read_regular(Path(node.signing_key).expanduser())
    EnvelopeSigner(signing_key, source=node.signing_key)
    server_key = ModelKey.read(Path(node.model_key).expanduser())
    return PreparedKafkaNode(url, topics, node.bakery, config, signing_key, server_key, environment)


def run_kafka_node(prepared: PreparedKafkaNode) -> None:
    """Answer messages of runs until a KeyboardInterrupt.

    Raises
    ------
    FederationError
        Another node is at work in the home, or it can't be written to.
    """
    log_to("stderr")
    from glean.client_app import app, forget_clients
    from glean.federation.client.journal_undo import JournalUndo
    from glean.federation.grids.client_store import FILE, ClientStore
    from glean.federation.node.carried_client import CarriedClient
    from glean.federation.node.hosted_runs import HostedRuns
    from glean.federation.node.release_check import InstalledApp
    from glean.kafka.carriers import open_client

    installed = InstalledApp(app_name(), app_project()["project"]["version"])
    with home_to_itself(prepared.home):
        store = ClientStore(prepared.home / FILE)
        try:
            hosts = HostedRuns(
                app,
                installed,
                name=prepared.name,
                node_config=prepared.config,
                store=store,
                undo=JournalUndo(prepared.home),
                forget=forget_clients,
            )
            LOG.info(
                "the node of %s on %s: it runs the Glean %s that is installed here, and no code "
                "that arrives",
                prepared.name,
                prepared.url,
                installed.release,
            )
            carrier = open_client(
                prepared.url,
                prepared.environment,
                name=prepared.name,
                signing_key=prepared.signing_key,
                server_key=prepared.server_key,
                folder=prepared.home / OUTBOXES / prepared.url.federation,
                topics=prepared.topics,
            )
            CarriedClient(carrier, hosts, report=NodeStatus(prepared.home).write).run()
        finally:
            store.close()
