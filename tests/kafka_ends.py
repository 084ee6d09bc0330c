"""A server's and clients' ends of topics, with keys of their own, for tests."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from glean.kafka.carriers import open_client, open_server
from glean.kafka.endpoint import MOST_BYTES
from glean.kafka.kafka_carrier import KafkaCarrier
from glean.kafka.kafka_client_carrier import KafkaClientCarrier
from glean.kafka.kafka_url import KafkaUrl
from glean.privacy.members import BakeryKeys, Member, new_keys
from glean.privacy.model_key import ModelKey, ModelSigner, new_model_key
from tests.processes import wait_until

NAMES = ("Nordbrot", "Ostbrot", "Westbrot")
RUN = 41


@dataclass(frozen=True)
class Keys:
    """Keys of a whole federation."""

    server: ModelSigner
    server_key: ModelKey
    members: dict[str, BakeryKeys]

    @property
    def listed(self) -> tuple[Member, ...]:
        """What all know of the members."""
        return tuple(keys.member for keys in self.members.values())


def new_federation(names: Sequence[str] = NAMES) -> Keys:
    """Make keys."""
    pem, public = new_model_key()
    return Keys(ModelSigner(pem, "model-key"), public, {name: new_keys(name) for name in names})


@dataclass
class Ends:
    """All ends of a federation on one broker.

    Parameters
    ----------
    url : str
        Its address.
    folder : Path
        For what each keeps.
    keys : Keys
        Its keys.
    environment : dict
        What protects connections.
    most_bytes : int
        Of messages that wait.
    """

    url: str
    folder: Path
    keys: Keys
    environment: dict[str, str] = field(default_factory=dict)
    most_bytes: int = MOST_BYTES

    def server(self) -> KafkaCarrier:
        """Open the server's end."""
        return open_server(
            KafkaUrl.read(self.url),
            self.environment,
            signer=self.keys.server,
            members=self.keys.listed,
            folder=self.folder / "server",
            most_bytes=self.most_bytes,
        )

    def client(self, name: str) -> KafkaClientCarrier:
        """Open a client's end, on what an earlier one of that name kept."""
        return open_client(
            KafkaUrl.read(self.url),
            self.environment,
            name=name,
            signing_key=self.keys.members[name].signing_key,
            server_key=self.keys.server_key,
            folder=self.folder / name,
            most_bytes=self.most_bytes,
        )


def announcement(run: int = RUN) -> bytes:
    """What says of a run no more than its number."""
    return json.dumps({"run_id": run}).encode()


@contextmanager
def all_ends(
    ends: Ends, names: Sequence[str] = NAMES
) -> Iterator[tuple[KafkaCarrier, dict[str, KafkaClientCarrier]]]:
    """Open all ends, with a run that all have heard of."""
    with ExitStack() as stack:
        server = ends.server()
        stack.callback(server.close)
        server.announce(announcement())
        clients = {}
        for name in names:
            clients[name] = ends.client(name)
            stack.callback(clients[name].close)
        wait_until(lambda: server.present() == sorted(names), "all are present", limit_s=30.0)
        yield server, clients
